// What takes too long for the test suite, or needs more than it: writes docs/results/checks.md, a dated row a check.
//   node scripts/check-all.mjs            # all, an hour and more
//   node scripts/check-all.mjs kills arm  # some; the page keeps the rows of the others
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './record.mjs';

const page = join(root, 'docs', 'results', 'checks.md');

/** Tests of the suite with more of what they do; one that is skipped has not been checked. */
const tests = (files, env = {}, names = '') => ({
  command: [
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    'npx vitest run',
    ...files,
    ...(names === '' ? [] : ['-t', `'${names}'`]),
  ].join(' '),
  run(folder) {
    const file = join(folder, 'report.json');
    const args = ['vitest', 'run', ...files, '--reporter=json', `--outputFile=${file}`];
    if (names !== '') args.push('-t', names);
    spawnSync('npx', args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (!existsSync(file)) return { ok: false, told: 'no report' };
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(file, 'utf8'));
    rmSync(file);
    const broken = testResults.filter(({ status }) => status === 'failed').length;
    const skipped = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status, fullName }) => status === 'skipped' && new RegExp(names).test(fullName));
    const ok = numFailedTests + broken === 0 && numPassedTests > 0;
    const parts = [`${numPassedTests} passed`, `${numFailedTests} failed`];
    if (skipped.length > 0) {
      parts.push(`not run: ${skipped.map(({ fullName }) => fullName).join('; ')}`);
    }
    return { ok, told: parts.join(', ') };
  },
});

const script = (file, needs) => ({
  command: `node ${file}`,
  run() {
    const lack = [file, ...needs].find((path) => !existsSync(join(root, path)));
    if (lack !== undefined) return { ok: false, told: `not run: there is no ${lack}` };
    const { status } = spawnSync(process.execPath, [join(root, file)], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return { ok: status === 0, told: status === 0 ? 'passed' : `failed, exit code ${status}` };
  },
});

const CHECKS = {
  kills: {
    what: 'commands killed ten times at random moments end as those that were not',
    ...tests(['test/cli/kills.test.ts'], { FLATMIN_KILLS: '10' }),
  },
  mutated: {
    what: '5,000 mutated programs on portable kernels under AddressSanitizer and UBSan',
    ...tests(['test/native/mutated.test.ts'], { FLATMIN_MUTATED: '5000' }),
  },
  sanitizers: {
    what: 'CUDA kernels on the CPU under AddressSanitizer, UBSan and the race detector',
    ...tests(['test/emulation/sanitized.test.ts']),
  },
  arm: {
    what: 'C++ tests on ARM64 under qemu',
    ...tests(['test/native/native.test.ts'], {}, 'on ARM64'),
  },
  installs: {
    what: 'every package manager, Node 20 to 26, Bun and Deno, from packages of build/cross',
    ...script('scripts/check-install.mjs', ['build/cross']),
  },
};

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !(name in CHECKS));
if (unknown !== undefined) {
  console.error(`There is no check "${unknown}". Help: ${Object.keys(CHECKS).join(', ')}.`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'flatmin-checks-'));
const kept = existsSync(page) ? readFileSync(page, 'utf8').split('\n') : [];
const rows = new Map(
  kept.flatMap((line) => {
    const [, name] = /^\| (\w+) \|/.exec(line) ?? [];
    return name in CHECKS ? [[name, line]] : [];
  }),
);
for (const name of asked.length > 0 ? asked : Object.keys(CHECKS)) {
  const { what, command, run } = CHECKS[name];
  console.log(`${name}: ${command}`);
  const [load] = loadavg();
  const begun = performance.now();
  const { ok, told } = run(folder);
  const seconds = Math.round((performance.now() - begun) / 1000);
  const date = new Date().toISOString().slice(0, 10);
  console.log(`${name}: ${told}, ${seconds} s`);
  if (!ok) process.exitCode = 1;
  rows.set(
    name,
    `| ${[name, what, `\`${command}\``, told, date, seconds, load.toFixed(1)].join(' | ')} |`,
  );
  writeFileSync(page, report());
}
rmSync(folder, { recursive: true, force: true });

function report() {
  const lines = Object.keys(CHECKS).flatMap((name) => rows.get(name) ?? []);
  return `# Checks beside the test suite

Written by \`node scripts/check-all.mjs\`, a row a check, with the machine's load average before it.

| check | what | command | result | date | seconds | load |
|---|---|---|---|---|---|---|
${lines.join('\n')}
`;
}
