import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'flatmin-native-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const compiler = ['g++', 'clang++'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
);

const programs = {
  gemm_test: ['cpu/gemm.cc', 'program/thread_pool.cc'],
  philox_test: [],
  linalg_test: [
    'cpu/eigh.cc',
    'cpu/inverse_root.cc',
    'cpu/newton_root.cc',
    'cpu/cholesky.cc',
    'program/thread_pool.cc',
  ],
};

/** The C++ test programs under sanitizers, with the portable kernels, which every machine runs. */
describe.skipIf(compiler === undefined)(
  compiler === undefined ? 'C++ tests, skipped: no compiler' : 'C++ tests',
  () => {
    it.each(Object.entries(programs))('%s', { timeout: 300_000 }, (name, sources) => {
      const binary = join(folder, name);
      execFileSync(compiler as string, [
        ...['-std=c++17', '-O2', '-g1', '-fno-math-errno', '-fno-trapping-math', '-pthread'],
        ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
        ...['-DFLATMIN_ISA=portable', `-I${join(root, 'native')}`, '-o', binary],
        join(root, 'test/native', `${name}.cc`),
        ...sources.map((source) => join(root, 'native', source)),
      ]);
      const { stdout, stderr, status } = spawnSync(binary, { encoding: 'utf8' });
      expect(stderr).toBe('');
      expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m);
      expect(status).toBe(0);
    });
  },
);
