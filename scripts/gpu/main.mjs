// gpu-check: in a clone it prepares a folder and goes on there; in a prepared folder it does the work.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../record.mjs';
import { runChecks, STEPS } from './checks.mjs';
import { prepare } from './prepare.mjs';
import { writeReport } from './report.mjs';

const { values } = parseArgs({
  options: {
    prepare: { type: 'string' },
    device: { type: 'string', default: 'cuda' },
    // Smallest cases and few steps only, for a dry run on the emulation.
    quick: { type: 'boolean', default: false },
    // Of the build, as CMake takes them; default the card's own.
    architectures: { type: 'string' },
    // Some of the steps, for machines that end long commands: the report keeps what others found.
    only: { type: 'string', default: STEPS.join(',') },
    out: { type: 'string', default: join(root, 'build', 'gpu-check') },
  },
});
const out = resolve(values.out);

try {
  if (values.prepare !== undefined) {
    prepare(resolve(values.prepare), { withNode: true });
    console.log(`prepared ${values.prepare}: run scripts/gpu-check there`);
  } else {
    const only = values.only.split(',');
    const unknown = only.find((name) => !STEPS.includes(name));
    if (unknown !== undefined)
      throw new Error(`--only expects steps of ${STEPS.join(', ')}, got "${unknown}"`);
    const results = await runChecks({ ...values, only, out, folder: inFolder() });
    writeReport(out, { device: values.device, ...results });
    const bad = results.steps.filter(({ status }) => status === 'failed');
    console.log(`report: ${join(out, 'report.md')}`);
    process.exitCode = bad.length === 0 ? 0 : 1;
  }
} catch (error) {
  console.error(`gpu-check: ${error.message}`);
  process.exitCode = 1;
}

/** This folder, or one prepared beside the clone's build. */
function inFolder() {
  mkdirSync(out, { recursive: true });
  if (!existsSync(join(root, 'src', 'index.ts'))) return root;
  const folder = join(out, 'prepared');
  rmSync(folder, { recursive: true, force: true });
  prepare(folder, { withNode: false });
  return folder;
}
