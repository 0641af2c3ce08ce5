import { createRequire } from 'node:module';
import { version } from '../../../scripts/record.mjs';
import { type Candidate, candidates } from './candidates.ts';
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

/** A candidate that was looked at, and why it was not taken; null for the one that was. */
export type Attempt = Pick<Candidate, 'name' | 'path' | 'reason'>;

interface Attempts {
  /** In their order, up to the one that was taken. */
  readonly attempts: readonly Attempt[];
}

export type LoadedAddon = Attempts &
  (
    | { readonly addon: Addon; readonly path: string; readonly reason: null; readonly remedy: null }
    | {
        readonly addon: null;
        readonly path: null;
        /** Of every attempt. */
        readonly reason: string;
        /** Numbered where there are several. */
        readonly remedy: string | null;
      }
  );

let loaded: LoadedAddon | undefined;

/** The first addon that this process can load, or the reasons why there is none. */
export function loadAddon(): LoadedAddon {
  loaded ??= load(candidates());
  return loaded;
}

/** The addon whose CUDA devices are emulated on the CPU, which the tests build: FLATMIN_CUDA_EMULATION is its path. */
export function loadEmulation(): LoadedAddon {
  const path = process.env.FLATMIN_CUDA_EMULATION ?? null;
  const reason = path ? null : 'FLATMIN_CUDA_EMULATION does not say where it is';
  return load([{ name: 'emulation', path, reason, remedy: null }]);
}

/** Tries each, in their order. */
export function load(all: readonly Candidate[]): LoadedAddon {
  const attempts: Attempt[] = [];
  for (const { name, path, reason } of all) {
    const opened = path === null ? `${reason}` : open(path);
    if (typeof opened !== 'string') {
      attempts.push({ name, path, reason: null });
      return { addon: opened, path: `${path}`, attempts, reason: null, remedy: null };
    }
    attempts.push({ name, path, reason: opened });
  }
  const reason = attempts.map((attempt) => `${attempt.name}: ${attempt.reason}`).join('; ');
  const remedies = all.flatMap(({ remedy }) => remedy ?? []);
  const numbered = remedies.length > 1 ? remedies.map((text, i) => `${i + 1}. ${text}`) : remedies;
  return { addon: null, path: null, attempts, reason, remedy: numbered.join('; ') || null };
}

/** An addon, or why it cannot be used. */
function open(path: string): Addon | string {
  try {
    const addon: Addon = createRequire(import.meta.url)(path);
    return addon.version === version
      ? addon
      : `it was built for flatmin ${addon.version}, this is ${version}`;
  } catch (error) {
    return (error as Error).message;
  }
}
