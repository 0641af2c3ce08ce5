/** The backends that conformance runs on. One that is not there is named with the reason, never left out. */

import { createRequire } from 'node:module';
import type { Store } from '../../src/backend/backend.ts';
import { openStore } from '../../src/backend/device.ts';
import { JsStore } from '../../src/backend/js/store.ts';
import { loadAddon } from '../../src/backend/native/addon.ts';
import type { NativeExecutor } from '../../src/backend/native/handles.ts';
import { NativeStore } from '../../src/backend/native/store.ts';
import { buildAmxModel } from '../emulation/amx.ts';
import { provideEmulation } from '../emulation/build.ts';

export interface Backend {
  readonly name: string;
  /** Why it cannot run here; null when it can. */
  readonly missing: string | null;
  /** A fresh store; results must not depend on `threads`. */
  readonly open: (threads: number) => Store;
  /** Thread counts to try. */
  readonly threads: readonly number[];
}

const js: Backend = {
  name: 'js',
  missing: null,
  open: () => new JsStore(),
  threads: [1],
};

/** Kernels of an instruction set. */
export function cpu(isa: string): Backend {
  const { addon, reason } = loadAddon();
  return kernelsOf(addon, reason === null ? null : `no addon: ${reason}`, isa);
}

/** Products of bfloat16 on AMX's tiles in software. */
export async function amxModel(): Promise<Backend> {
  const { missing, path } = await buildAmxModel();
  const addon = missing === null ? createRequire(import.meta.url)(path) : null;
  return { ...kernelsOf(addon, missing, 'amx'), name: 'cpu amx, a model' };
}

function kernelsOf(addon: NativeExecutor | null, lack: string | null, isa: string): Backend {
  const open = (threads: number) =>
    new NativeStore(addon as NativeExecutor, { backend: 'cpu', where: isa, threads });
  let missing = lack;
  try {
    if (missing === null) open(1);
  } catch (error) {
    missing = (error as Error).message;
  }
  return { name: `cpu ${isa}`, missing, open, threads: [1, 2, 4] };
}

const { missing } = await provideEmulation();

/** The CUDA kernels on the CPU, whose threads run in the order that FLATMIN_THREAD_ORDER draws. */
export const cudaEmulated: Backend = {
  name: 'cuda-emulated',
  missing,
  open: () => openStore({ device: 'cuda-emulated' }),
  threads: [1],
};

export const backends: readonly Backend[] = [
  js,
  ...['avx512', 'avx2', 'portable'].map(cpu),
  cudaEmulated,
];
