import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'flatmin-native-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const runs = (program: string): boolean =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

const compiler = ['g++', 'clang++'].find(runs);
/** Debian's g++-aarch64-linux-gnu and qemu-user-static. */
const ARM64 = { compiler: 'aarch64-linux-gnu-g++', emulator: 'qemu-aarch64-static' };
const missing = Object.values(ARM64).filter((program) => !runs(program));

interface Program {
  readonly sources: readonly string[];
  readonly sanitizer?: 'thread';
  /** Arguments where an emulator runs it. */
  readonly short?: readonly string[];
}

const LINALG = [
  'cpu/eigh.cc',
  'cpu/householder.cc',
  'cpu/tridiagonal.cc',
  'cpu/tridiagonal_merge.cc',
  'cpu/tridiagonal_ql.cc',
  'cpu/secular.cc',
  'cpu/inverse_root.cc',
  'cpu/sampled_residual.cc',
  'cpu/warm_eigh.cc',
  'cpu/newton_root.cc',
  'cpu/cholesky.cc',
  'program/thread_pool.cc',
];

const PROGRAMS: Readonly<Record<string, Program>> = {
  gemm_test: { sources: ['cpu/gemm.cc', 'program/thread_pool.cc'], short: ['--short'] },
  philox_test: { sources: [] },
  eigh_test: { sources: LINALG },
  linalg_test: { sources: LINALG },
  thread_pool_test: { sources: ['program/thread_pool.cc'], sanitizer: 'thread' },
};

/** Builds a program with the portable kernels, which every machine runs. */
function build(name: string, compiler: string, flags: readonly string[]): string {
  const binary = join(folder, `${compiler}-${name}`);
  execFileSync(compiler, [
    ...['-std=c++17', '-O2', '-fno-math-errno', '-fno-trapping-math', '-pthread', ...flags],
    ...['-DFLATMIN_ISA=portable', `-I${join(root, 'native')}`, '-o', binary],
    join(root, 'test/native', `${name}.cc`),
    ...PROGRAMS[name].sources.map((source) => join(root, 'native', source)),
  ]);
  return binary;
}

function expectPassed(command: string, args: readonly string[]): void {
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m);
  expect(status).toBe(0);
}

const names = Object.keys(PROGRAMS);

describe.skipIf(compiler === undefined)(
  compiler === undefined ? 'C++ tests, skipped: no compiler' : 'C++ tests, under sanitizers',
  () => {
    it.each(names)('%s', { timeout: 300_000 }, (name) => {
      const { sanitizer = 'address,undefined' } = PROGRAMS[name];
      const flags = ['-g1', `-fsanitize=${sanitizer}`, '-fno-sanitize-recover=all'];
      expectPassed(build(name, compiler as string, flags), []);
    });
  },
);

describe.skipIf(missing.length > 0)(
  missing.length > 0
    ? `C++ tests on ARM64, skipped: no ${missing.join(', ')}`
    : 'C++ tests on ARM64',
  () => {
    it.each(names)('%s', { timeout: 600_000 }, (name) => {
      const binary = build(name, ARM64.compiler, ['-static']);
      expectPassed(ARM64.emulator, [binary, ...(PROGRAMS[name].short ?? [])]);
    });
  },
);
