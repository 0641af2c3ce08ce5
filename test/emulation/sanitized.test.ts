/** The smallest case of every op by an emulation that was built with AddressSanitizer and UndefinedBehaviorSanitizer. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { prepare } from '../../scripts/gpu/prepare.mjs';
import { buildEmulation } from './build.ts';

const folder = mkdtempSync(join(tmpdir(), 'flatmin-sanitized-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const runtime = spawnSync('g++', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
const library = runtime.status === 0 ? runtime.stdout.trim() : '';
const emulation = await buildEmulation({ sanitized: true });
const missing =
  emulation.missing ?? (library.startsWith('/') ? null : 'no libasan.so beside the compiler');

describe.skipIf(missing !== null)(
  `under sanitizers${missing === null ? '' : `, skipped: ${missing}`}`,
  () => {
    it('every op runs without a report', { timeout: 300_000 }, () => {
      const program = join(folder, 'check');
      prepare(program, { withNode: false });
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [join(program, 'test/device/conformance.js'), '--device', 'cuda-emulated', '--short'],
        {
          encoding: 'utf8',
          env: {
            ...process.env,
            LD_PRELOAD: library,
            ASAN_OPTIONS: 'detect_leaks=0',
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
