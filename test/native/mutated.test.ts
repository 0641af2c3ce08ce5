/**
 * Programs with something wrong in them are refused when they are loaded, or run without touching what is not theirs.
 * `FLATMIN_MUTATED=5000` tries so many with the portable kernels under AddressSanitizer and UBSan, and writes
 * docs/results/mutated.md.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addonPath } from '../../scripts/record.mjs';
import { loadAddon } from '../../src/backend/native/addon.ts';
import { buildTarget, libraryAt, root, VARIANTS } from '../emulation/build.ts';
import { capturedPrograms } from './captured.ts';

const SEED = 1;
const SHARE = 400;
const sanitized = Number(process.env.FLATMIN_MUTATED ?? 0);
const { reason } = loadAddon();

const folder = mkdtempSync(join(tmpdir(), 'flatmin-mutated-'));
const programs = join(folder, 'programs');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What went wrong, or nothing; and what the last line says. */
function attempt(addon: string, where: string, count: number, env: NodeJS.ProcessEnv = {}) {
  const args = [programs, addon, where, SEED, 0, count].map(String);
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'mutated.mjs'), ...args],
    { encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 2 ** 28 },
  );
  const last = stdout.trimEnd().split('\n').at(-1);
  // Memory that a program asks for and that there is none of is an error of the addon, and no finding.
  const findings = stderr.replace(
    /^==\d+==WARNING: AddressSanitizer failed to allocate .*\n/gm,
    '',
  );
  const died = status !== 0 || findings !== '';
  return { failure: died ? `program ${last}: ${signal ?? status}\n${findings}` : '', last };
}

describe.skipIf(reason !== null)(`mutated programs${reason === null ? '' : `: ${reason}`}`, () => {
  beforeAll(async () => writeFileSync(programs, serialize(await capturedPrograms())), 120_000);

  it('as they are, are taken and run', { timeout: 120_000 }, () => {
    const { failure, last } = attempt(addonPath, '', -1);
    expect(failure).toBe('');
    expect(last).toMatch(/^[1-9]\d* programs, 0 refused/);
  });

  it('do not crash the process', { timeout: 120_000 }, () => {
    expect(attempt(addonPath, '', SHARE).failure).toBe('');
  });

  const title = 'find nothing under AddressSanitizer and UBSan (FLATMIN_MUTATED=5000)';
  it.skipIf(sanitized === 0)(title, { timeout: 7_200_000 }, async () => {
    const { missing, path } = await buildTarget('portable', 'memory');
    expect(missing).toBe(null);
    const { failure, last } = attempt(path, 'portable', sanitized, {
      LD_PRELOAD: libraryAt(VARIANTS.memory.library),
      ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=1024',
    });
    expect(failure).toBe('');
    writeFileSync(join(root, 'docs', 'results', 'mutated.md'), report(last ?? ''));
  });
});

const report = (last: string): string => `# Programs with something wrong in them

Written by \`FLATMIN_MUTATED=${sanitized} npx vitest run test/native/mutated.test.ts\` on ${new Date().toISOString().slice(0, 10)}.
Programs of the conformance cases and of training steps by every method, one to three things changed in each
(\`test/native/mutated.mjs\`, seed ${SEED}), were loaded into the portable CPU kernels under AddressSanitizer and UBSan, and
run where they were taken: ${last}, no finding.
`;
