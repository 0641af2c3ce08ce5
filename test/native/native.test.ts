import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
  /** Default its name. */
  readonly main?: string;
  readonly sources: readonly string[];
  /** A processor's, by its name in /proc/cpuinfo, instead of portable kernels, with what they are compiled with. */
  readonly feature?: { readonly name: string; readonly flags: readonly string[] };
  readonly sanitizer?: 'thread';
  /** Arguments where an emulator runs it. */
  readonly short?: readonly string[];
}

/** Files of a family, each of which compiles by itself, too. */
const of = (family: string, ...files: readonly string[]): string[] =>
  files.map((file) => `${family}/${file}.cc`);

const LINALG = [
  ...of(
    'cpu/eigen',
    ...['eigh', 'householder', 'tridiagonal', 'tridiagonal_merge', 'tridiagonal_ql', 'secular'],
    'warm_eigh',
  ),
  ...of('cpu/linalg', 'inverse_root', 'sampled_residual', 'newton_root', 'cholesky', 'qr'),
  'program/thread_pool.cc',
];

/** Unrolled for wide vectors, kernels under sanitizers take a minute more to compile by -O2. */
const BF16 = {
  name: 'avx512_bf16',
  flags: [
    '-O1',
    ...[
      '-DFLATMIN_ISA=avx512',
      '-DFLATMIN_AMX_MODEL',
      '-mavx2',
      '-mfma',
      '-mf16c',
      '-mbmi',
      '-mbmi2',
    ],
    ...['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl'],
  ],
};

const PROGRAMS: Readonly<Record<string, Program>> = {
  gemm_bf16_test: {
    main: 'gemm_test',
    sources: [...of('cpu/gemm', 'gemm', 'gemm_bf16', 'gemm_tiles'), 'program/thread_pool.cc'],
    feature: BF16,
  },
  gemm_test: { sources: ['cpu/gemm/gemm.cc', 'program/thread_pool.cc'], short: ['--short'] },
  philox_test: { sources: [] },
  eigh_test: { sources: LINALG },
  linalg_test: { sources: LINALG },
  thread_pool_test: { sources: ['program/thread_pool.cc'], sanitizer: 'thread' },
};

const PORTABLE = ['-DFLATMIN_ISA=portable'];

function build(name: string, compiler: string, flags: readonly string[]): string {
  const { main = name, sources, feature } = PROGRAMS[name];
  const binary = join(folder, `${compiler}-${name}`);
  execFileSync(compiler, [
    ...['-std=c++17', '-O2', '-fno-math-errno', '-fno-trapping-math', '-pthread', ...flags],
    ...(feature?.flags ?? PORTABLE),
    ...[`-I${join(root, 'native')}`, '-o', binary, join(root, 'test/native', `${main}.cc`)],
    ...sources.map((source) => join(root, 'native', source)),
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
const portable = names.filter((name) => PROGRAMS[name].feature === undefined);

const CPUINFO = '/proc/cpuinfo';
const features = existsSync(CPUINFO) ? readFileSync(CPUINFO, 'utf8').split(/\s+/) : [];
const lacks = (name: string): boolean => {
  const { feature } = PROGRAMS[name];
  return feature !== undefined && !features.includes(feature.name);
};
const titled = names.map((name): [string, string] => [
  lacks(name) ? `${name}, skipped: no ${PROGRAMS[name].feature?.name}` : name,
  name,
]);

describe.skipIf(compiler === undefined)(
  compiler === undefined ? 'C++ tests, skipped: no compiler' : 'C++ tests, under sanitizers',
  () => {
    it.for(titled)('%s', { timeout: 300_000 }, ([, name], { skip }) => {
      skip(lacks(name));
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
    it.each(portable)('%s', { timeout: 600_000 }, (name) => {
      const binary = build(name, ARM64.compiler, ['-static']);
      expectPassed(ARM64.emulator, [binary, ...(PROGRAMS[name].short ?? [])]);
    });
  },
);
