import { type ErrorCode, FlatminError } from '../../errors.ts';
import type { Numbers } from '../../graph/kernel.ts';
import type { ProgramSpec, TensorType } from '../../graph/types.ts';
import type { RunResult } from '../backend.ts';

/** What native/addon exports for running programs. Validation is TypeScript's; these assert once more. */
export interface NativeExecutor {
  readonly Store: new (where: string, threads: number) => NativeStoreHandle;
  readonly Program: new (spec: ProgramSpec, store: NativeStoreHandle) => NativeProgramHandle;
}

export interface NativeStoreHandle {
  readonly isa: string;
  /** Threads that there are: fewer than asked for where the system starts no more. */
  readonly threads: number;
  declare(key: string, type: TensorType): void;
  write(key: string, bytes: Uint8Array): void;
  read(key: string, into: Uint8Array): void;
}

export interface NativeProgramHandle {
  /** `phase` −1 runs all of them; writes the steps done and whether the status block stopped the run to `outcome`. */
  runSync(
    rows: Float64Array,
    bindings: readonly Numbers[],
    phase: number,
    reports: Float32Array,
    outcome: Int32Array,
  ): void;
  /** `bindings` stand on SharedArrayBuffers; `reports` are written when the run has ended. */
  run(
    rows: Float64Array,
    bindings: readonly Numbers[],
    phase: number,
    reports: Float32Array,
  ): Promise<Pick<RunResult, 'steps' | 'stopped'>>;
  /** Steps done by the run in flight, after their reports were written. */
  progress(reports: Float32Array): number | undefined;
  abort(): void;
  /** Gives its memory back before it is garbage; no run may follow. */
  free(): void;
}

/** What the addon throws, as a `FlatminError`: it sets the codes. */
export function fromNative(error: unknown): unknown {
  const { code, message } = error as { code?: string; message: string };
  return code?.startsWith('FLATMIN_')
    ? new FlatminError(code as ErrorCode, message, { cause: error })
    : error;
}

/** Calls into the addon. */
export function callNative<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNative(error);
  }
}
