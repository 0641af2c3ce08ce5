/** The addon with AMX's tiles as native/cpu/gemm/amx_model.h has them, for processors that have none. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildTarget, type Emulation, root } from './build.ts';

/** The installed addon's kernels, as cmake-js or node-gyp leaves them, in the order in which it links them. */
const BUILDS = [
  { folder: join(root, 'build', 'cmake'), prefix: 'lib' },
  { folder: join(root, 'native', 'build', 'Release'), prefix: '' },
].map(({ folder, prefix }) =>
  ['portable', 'avx2', 'avx512'].map((isa) => join(folder, `${prefix}${isa}.a`)),
);

export async function buildAmxModel(): Promise<Emulation> {
  if (process.arch !== 'x64')
    return { missing: `kernels of ${process.arch} have no AMX`, path: '' };
  const kernels = BUILDS.find((libraries) => libraries.every((path) => existsSync(path)));
  if (kernels === undefined)
    return { missing: 'no libraries of the native build: run "npx flatmin build"', path: '' };
  return buildTarget('amx', 'plain', { FLATMIN_KERNELS: kernels.join(';') });
}
