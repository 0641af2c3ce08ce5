/** The addon with AMX's tiles as native/cpu/amx_model.h has them, for processors that have none. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon, type Emulation, filesOf, flagsFor, native, root } from './build.ts';

/** The installed addon's kernels, as cmake-js or node-gyp leaves them, in the order in which it links them. */
const BUILDS = [
  { folder: join(root, 'build', 'cmake'), prefix: 'lib' },
  { folder: join(native, 'build', 'Release'), prefix: '' },
].map(({ folder, prefix }) =>
  ['portable', 'avx2', 'avx512'].map((isa) => join(folder, `${prefix}${isa}.a`)),
);

/** What its addon's AVX-512 kernels do on tiles; linked before them, this takes its place among them. */
const TILES = join(native, 'cpu', 'gemm_tiles.cc');
const TILE_FLAGS = [
  ...['-O2', '-DFLATMIN_ISA=avx512', '-DFLATMIN_AMX_MODEL'],
  ...['-mavx2', '-mfma', '-mf16c', '-mbmi', '-mbmi2'],
  ...['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl'],
];

export async function buildAmxModel(): Promise<Emulation> {
  if (process.arch !== 'x64')
    return { missing: `kernels of ${process.arch} have no AMX`, path: '' };
  const kernels = BUILDS.find((libraries) => libraries.every((path) => existsSync(path)));
  if (kernels === undefined)
    return { missing: 'no libraries of the native build: run "npx flatmin build"', path: '' };
  return buildAddon(
    [
      ...filesOf('ops', '.cc'),
      ...filesOf('program', '.cc'),
      join(native, 'cuda', 'no_cuda.cc'),
      TILES,
    ],
    (source) => [...flagsFor('plain', source), ...(source === TILES ? TILE_FLAGS : [])],
    [],
    kernels,
  );
}
