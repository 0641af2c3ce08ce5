/**
 * Builds the CUDA files for the CPU, through native/emulation: an addon whose every store is on an emulated
 * device. Objects are kept in build/emulation by the hash of all that went into them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { withLock } from '../../scripts/lock.mjs';
import { version } from '../../scripts/record.mjs';
import { findTools, headersFolder } from '../../scripts/tools.mjs';

export const root = resolve(import.meta.dirname, '../..');
export const native = join(root, 'native');
const folder = join(root, 'build', 'emulation');

export const filesOf = (directory: string, ...kinds: readonly string[]): string[] =>
  readdirSync(join(native, directory))
    .filter((name) => kinds.some((kind) => name.endsWith(kind)))
    .sort()
    .map((name) => join(native, directory, name));

/** Everything but the addon itself: kernels, the executor and the emulation. */
export const emulatedSources = (): string[] => [
  ...filesOf('cuda', '.cu'),
  ...filesOf('ops', '.cc'),
  ...filesOf('program', '.cc').filter((path) => basename(path) !== 'isa.cc'),
  ...filesOf('emulation', '.cc'),
];

const FLAGS = [
  ...['-std=c++17', '-O1', '-fPIC', '-pthread', '-Wall', '-Wextra', '-Werror'],
  ...[`-I${native}`, `-I${join(native, 'emulation')}`],
];
/** Of .cu files; answered by native/emulation/checks.cc. */
const CHECKS = ['-fsanitize=alignment,bounds,shift,integer-divide-by-zero'];
const MEMORY = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-g1'];
const RACES = ['-DFLATMIN_RACES', '-g1'];
const THREADS = '-fsanitize=thread';

/** Flags of the kernels, of the rest, and of the linker; the library that a process without it has to preload. */
export const VARIANTS = {
  plain: { kernels: [...CHECKS, '-g1'], rest: [], link: [], library: null },
  memory: { kernels: MEMORY, rest: MEMORY, link: MEMORY, library: 'libasan.so' },
  // Accesses of kernels count; the emulation itself says what orders them.
  races: { kernels: [...RACES, THREADS], rest: RACES, link: [THREADS], library: 'libtsan.so' },
} as const;

export type Variant = keyof typeof VARIANTS;

/** Of every file of a variant; a sanitizer's library answers what checks.cc answers otherwise. */
export const flagsFor = (variant: Variant, source: string): readonly string[] => [
  ...FLAGS,
  ...VARIANTS[variant][source.endsWith('.cu') ? 'kernels' : 'rest'],
];
export const sourcesFor = (variant: Variant, sources: readonly string[]): string[] =>
  sources.filter((path) => variant === 'plain' || !path.endsWith('checks.cc'));

/** The portable CPU kernels under the sanitizers of memory, in an addon without others. */
export const buildSanitizedCpu = (): Promise<Emulation> =>
  buildAddon(
    [
      ...filesOf('cpu', '.cc'),
      ...filesOf('ops', '.cc'),
      ...filesOf('program', '.cc'),
      join(native, 'cuda', 'no_cuda.cc'),
    ],
    (source) => [
      ...flagsFor('memory', source),
      ...['-fno-math-errno', '-fno-trapping-math', '-DFLATMIN_PORTABLE_ALONE'],
      '-DFLATMIN_ISA=portable',
    ],
    VARIANTS.memory.link,
  );

/** A sanitizer's library of the compiler; a name without a path when it has none. */
export function libraryAt(name: string): string {
  const { compiler } = findTools();
  if (compiler === null) return name;
  return spawnSync(compiler, [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
}

export interface Emulation {
  /** Why there is none; null when there is one. */
  readonly missing: string | null;
  /** Of the addon; empty when there is none. */
  readonly path: string;
}

/** Makes the device `cuda-emulated` of these sources, unless FLATMIN_CUDA_EMULATION names one already. */
export async function provideEmulation(): Promise<Emulation> {
  const named = process.env.FLATMIN_CUDA_EMULATION;
  if (named) return { missing: null, path: named };
  const variant = process.env.FLATMIN_EMULATION_SANITIZE ?? 'plain';
  if (!(variant in VARIANTS)) throw new Error(`FLATMIN_EMULATION_SANITIZE is "${variant}"`);
  const emulation = await buildEmulation(variant as Variant);
  if (emulation.missing === null) process.env.FLATMIN_CUDA_EMULATION = emulation.path;
  return emulation;
}

/** For programs whose device is named on their command line. */
export async function provideDevice(device: string): Promise<void> {
  if (!device.startsWith('cuda-emulated')) return;
  const { missing } = await provideEmulation();
  if (missing !== null) throw new Error(missing);
}

/** The addon whose CUDA devices are emulated; a sanitized one loads into a process that has the library. */
export const buildEmulation = (variant: Variant): Promise<Emulation> =>
  buildAddon(
    sourcesFor(variant, emulatedSources()),
    (source) => flagsFor(variant, source),
    VARIANTS[variant].link,
  );

/** These sources and those of native/addon; `libraries` are linked behind them. */
export async function buildAddon(
  sources: readonly string[],
  flagsOf: (source: string) => readonly string[],
  link: readonly string[],
  libraries: readonly string[] = [],
): Promise<Emulation> {
  const none = (missing: string): Emulation => ({ missing, path: '' });
  const { compiler } = findTools();
  if (process.platform !== 'linux') return none('the emulation is built on Linux alone');
  if (compiler === null) return none('no compiler');
  const headers = nodeHeaders();
  if (headers === null) return none('no Node-API headers beside node');
  const nodeApi = filesOf('addon', '.cc');
  const objects = await compileAll(compiler, [...sources, ...nodeApi], (source) => [
    ...flagsOf(source),
    ...(nodeApi.includes(source) ? headers : []),
  ]);
  const contents = libraries.map((path) => readFileSync(path, 'latin1'));
  const addon = join(folder, `${hashOf([...objects, ...contents])}.node`);
  if (!existsSync(addon)) {
    const temporary = `${addon}.${process.pid}`;
    const inputs = [...objects, ...libraries];
    await run(compiler, ['-shared', '-pthread', ...link, '-o', temporary, ...inputs]);
    renameSync(temporary, addon);
  }
  return { missing: null, path: addon };
}

function nodeHeaders(): string[] | null {
  const headers = headersFolder();
  if (headers === null) return null;
  return [
    ...['-DNAPI_VERSION=9', '-DNODE_ADDON_API_CPP_EXCEPTIONS', `-DFLATMIN_VERSION="${version}"`],
    '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
    ...['-isystem', join(headers, 'include', 'node')],
    ...['-isystem', join(root, 'node_modules', 'node-addon-api')],
  ];
}

/** Compiles what has changed, as many files at a time as there are cores; the objects in order. */
export async function compileAll(
  compiler: string,
  sources: readonly string[],
  flagsOf: (source: string) => readonly string[],
): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const contentsOf = (...folders: readonly string[]): string[] =>
    folders
      .flatMap((directory) => filesOf(directory, '.h'))
      .map((path) => readFileSync(path, 'utf8'));
  const shared = contentsOf('addon', 'cuda', 'formulas', 'ops', 'program', 'emulation');
  const ofCpu = contentsOf('cpu');
  const identity = spawnSync(compiler, ['--version'], { encoding: 'utf8' }).stdout;
  const work = sources.map((source) => {
    const flags = flagsOf(source);
    const headers = basename(dirname(source)) === 'cpu' ? [...shared, ...ofCpu] : shared;
    const key = hashOf([identity, ...flags, ...headers, readFileSync(source, 'utf8')]);
    return { source, flags, object: join(folder, `${basename(source)}.${key}.o`) };
  });
  await withLock(join(folder, 'lock'), async () => {
    const due = work.filter(({ object }) => !existsSync(object));
    const worker = async (): Promise<void> => {
      for (let next = due.pop(); next !== undefined; next = due.pop()) {
        const { source, flags, object } = next;
        await run(compiler, [...flags, '-x', 'c++', '-c', source, '-o', `${object}.new`]);
        renameSync(`${object}.new`, object);
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
  });
  return work.map(({ object }) => object);
}

const hashOf = (parts: readonly string[]): string =>
  createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);

export function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (status) =>
      status === 0 ? done() : fail(new Error(`${command} ${args.join(' ')}\n${errors}`)),
    );
  });
}
