/**
 * Two small cases of every op by an emulation that was built with sanitizers: of memory, and of races between the
 * threads of a block.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepare } from '../../scripts/gpu/prepare.mjs';
import { buildTarget, libraryAt, VARIANTS } from './build.ts';

const folder = mkdtempSync(join(tmpdir(), 'flatmin-sanitized-'));
const program = join(folder, 'check');
beforeAll(() => prepare(program, { withNode: false }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const OPTIONS = {
  memory: { ASAN_OPTIONS: 'detect_leaks=0' },
  // Node synchronises in ways that the library cannot see.
  races: { TSAN_OPTIONS: 'ignore_noninstrumented_modules=1' },
};

for (const variant of ['memory', 'races'] as const) {
  const emulation = await buildTarget('emulation', variant);
  const library = libraryAt(VARIANTS[variant].library);
  const missing =
    emulation.missing ?? (library.startsWith('/') ? null : `no ${library} beside the compiler`);
  describe.skipIf(missing !== null)(
    `under the sanitizers of ${variant}${missing === null ? '' : `, skipped: ${missing}`}`,
    () => {
      it('every op runs without a report', { timeout: 300_000 }, () => {
        const { status, stdout, stderr } = spawnSync(
          process.execPath,
          [join(program, 'test/device/conformance.js'), '--device', 'cuda-emulated', '--short'],
          {
            encoding: 'utf8',
            env: {
              ...process.env,
              ...OPTIONS[variant],
              LD_PRELOAD: library,
              FLATMIN_CUDA_EMULATION: emulation.path,
            },
          },
        );
        expect(stderr).toBe('');
        expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m);
        expect(status).toBe(0);
      });
    },
  );
}
