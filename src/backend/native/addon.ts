import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { addonPath, readRecord, version } from '../../../scripts/record.mjs';
import type { NativeExecutor } from './handles.ts';

/** What the compiled addon exports. */
export interface Addon extends NativeExecutor {
  /** The flatmin version it was built from. */
  readonly version: string;
  /** The widest instruction set of this processor that the kernels were built for. */
  readonly isa: 'amx' | 'avx512bf16' | 'avx512' | 'avx2' | 'portable';
  /** Asks the driver, so it takes a while the first time; a new look at each reading. */
  readonly cuda: CudaReport;
}

export interface CudaReport {
  /** The kernels are in this build. */
  readonly compiled: boolean;
  /** CUDA version of the runtime that is linked in. */
  readonly toolkit: string | null;
  /** Newest CUDA version that the driver runs. */
  readonly driver: string | null;
  /** `memory` in bytes, `capability` as "9.0". */
  readonly devices: readonly { name: string; memory: number; capability: string }[];
  /** Why no device can be used; null when one can. */
  readonly reason: string | null;
  /** The cuBLAS that products go to, or null and why they go to flatmin's own kernel. */
  readonly blas: string | null;
  readonly blasReason: string | null;
}

export type LoadedAddon =
  | { readonly addon: Addon; readonly reason: null; readonly remedy: null }
  | { readonly addon: null; readonly reason: string; readonly remedy: string | null };

let loaded: LoadedAddon | undefined;

/** The addon of this installation, or the reason why there is none. */
export function loadAddon(): LoadedAddon {
  loaded ??= load();
  return loaded;
}

/** The addon whose CUDA devices are emulated on the CPU, which the tests build: FLATMIN_CUDA_EMULATION is its path. */
export function loadEmulation(): LoadedAddon {
  const path = process.env.FLATMIN_CUDA_EMULATION;
  if (!path) {
    const reason = 'FLATMIN_CUDA_EMULATION does not say where the emulation is';
    return { addon: null, reason, remedy: null };
  }
  return open(path, null);
}

const rebuild = 'run "npx flatmin build"';

function load(): LoadedAddon {
  if (existsSync(addonPath)) return open(addonPath, rebuild);
  const record = readRecord();
  if (record === null)
    return { addon: null, reason: 'it was never built: no install script ran', remedy: rebuild };
  const remedy = record.remedy === null ? rebuild : `${record.remedy}, then ${rebuild}`;
  return { addon: null, reason: record.reason ?? 'it was removed after its build', remedy };
}

function open(path: string, remedy: string | null): LoadedAddon {
  try {
    const addon: Addon = createRequire(import.meta.url)(path);
    if (addon.version === version) return { addon, reason: null, remedy: null };
    const reason = `it was built for flatmin ${addon.version}, this is ${version}`;
    return { addon: null, reason, remedy };
  } catch (error) {
    return { addon: null, reason: (error as Error).message, remedy };
  }
}
