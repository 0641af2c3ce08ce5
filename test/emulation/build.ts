/**
 * Builds what native/emulation/CMakeLists.txt describes, the CUDA files for the CPU, by CMake: an addon whose every
 * store is on an emulated device, and what tests beside it. A variant has a folder of build/emulation.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { withLock } from '../../scripts/lock.mjs';
import { findTools, headersFolder } from '../../scripts/tools.mjs';

export const root = resolve(import.meta.dirname, '../..');

/** How kernels are compiled, and the library that a process without it has to preload. */
export const VARIANTS = {
  plain: { library: null },
  memory: { library: 'libasan.so' },
  races: { library: 'libtsan.so' },
} as const;

export type Variant = keyof typeof VARIANTS;

/** A target of native/emulation/CMakeLists.txt. */
export type Target = 'emulation' | 'planted' | 'portable' | 'amx';

export interface Emulation {
  /** Why there is none; null when there is one. */
  readonly missing: string | null;
  /** Of the addon or program; empty when there is none. */
  readonly path: string;
}

/** Makes the device `cuda-emulated` of these sources, unless FLATMIN_CUDA_EMULATION names one already. */
export async function provideEmulation(): Promise<Emulation> {
  const named = process.env.FLATMIN_CUDA_EMULATION;
  if (named) return { missing: null, path: named };
  const variant = process.env.FLATMIN_EMULATION_SANITIZE ?? 'plain';
  if (!(variant in VARIANTS)) throw new Error(`FLATMIN_EMULATION_SANITIZE is "${variant}"`);
  const emulation = await buildTarget('emulation', variant as Variant);
  if (emulation.missing === null) process.env.FLATMIN_CUDA_EMULATION = emulation.path;
  return emulation;
}

/** For programs whose device is named on their command line. */
export async function provideDevice(device: string): Promise<void> {
  if (!device.startsWith('cuda-emulated')) return;
  const { missing } = await provideEmulation();
  if (missing !== null) throw new Error(missing);
}

/** A sanitizer's library of the compiler; a name without a path when it has none. */
export function libraryAt(name: string): string {
  const { compiler } = findTools();
  if (compiler === null) return name;
  return spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
}

/** Compiles what has changed; a sanitized addon loads into a process that has the library. */
export async function buildTarget(
  target: Target,
  variant: Variant,
  options: Readonly<Record<string, string>> = {},
): Promise<Emulation> {
  const none = (missing: string): Emulation => ({ missing, path: '' });
  const { cmake, compiler, make, ninja } = findTools();
  if (process.platform !== 'linux') return none('the emulation is built on Linux alone');
  if (compiler === null) return none('no compiler');
  if (cmake === null) return none('no CMake');
  if (make === null && ninja === null) return none('neither make nor ninja');
  const headers = headersFolder();
  if (headers === null) return none('no Node-API headers beside node');
  const folder = join(root, 'build', 'emulation', variant);
  const include = [join(headers, 'include', 'node'), join(root, 'node_modules', 'node-addon-api')];
  const variables = {
    CMAKE_CXX_COMPILER: compiler,
    CMAKE_JS_INC: include.join(';'),
    FLATMIN_EMULATION: variant,
    ...options,
  };
  await withLock(join(root, 'build', 'emulation', 'lock'), async () => {
    const generator = make === null && !existsSync(folder) ? ['-G', 'Ninja'] : [];
    const given = Object.entries(variables).map(([name, value]) => `-D${name}=${value}`);
    await run(cmake, ['-S', root, '-B', folder, ...generator, ...given]);
    const jobs = String(availableParallelism());
    await run(cmake, ['--build', folder, '--target', target, '--parallel', jobs]);
  });
  const file = target === 'planted' ? target : `${target}.node`;
  return { missing: null, path: join(folder, 'native', 'emulation', file) };
}

function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      output += text;
    });
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (status) =>
      status === 0 ? done() : fail(new Error(`${command} ${args.join(' ')}\n${output}`)),
    );
  });
}
