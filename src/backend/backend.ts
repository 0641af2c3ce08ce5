import type { Numbers } from '../graph/kernel.ts';
import { allocate } from '../graph/memory.ts';
import { BYTES, type DType, type ProgramSpec, type TensorType } from '../graph/types.ts';

export type BackendName = 'js' | 'cpu' | 'cuda' | 'cuda-emulated';

/** Buffers that outlive a run and are shared by programs: parameters, optimizer state, datasets. */
export interface Store {
  readonly backend: BackendName;
  /** Threads that kernels may use. */
  readonly threads: number;
  /** Makes a buffer of zeros; one that exists already must have the same type. */
  declare(key: string, type: TensorType): void;
  has(key: string): boolean;
  type(key: string): TensorType;
  /** Copies `data` in; its length must be the buffer's. */
  write(key: string, data: Numbers): void;
  /** A copy of the buffer. */
  read(key: string): Numbers;
  /** Prepares a program whose stored buffers have all been declared. */
  load(spec: ProgramSpec): Executable;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Called now and then on the main thread with the steps done and all reports so far. */
  readonly onProgress?: (progress: RunResult) => void;
  /** Arrays of the bound buffers as in `runSync`, all on SharedArrayBuffers: those alone cannot be detached. */
  readonly bindings?: readonly Numbers[];
  /** Run one phase. */
  readonly phase?: number;
}

export interface RunResult {
  /** Steps completed: fewer than asked for after an abort or a stop by the status block. */
  readonly steps: number;
  /** steps × reports, row by row. */
  readonly reports: Float32Array;
  /** The status block ended the run. */
  readonly stopped: boolean;
}

export interface Executable {
  /**
   * Performs a step for every row of `rows` (slots, then section flags) before it returns.
   * `bindings` are the caller's arrays in the order in which the program's bound buffers stand.
   */
  runSync(rows: Float64Array, bindings?: readonly Numbers[], phase?: number): RunResult;
  /** The same without blocking the event loop; an abort stops between two steps. */
  run(rows: Float64Array, options?: RunOptions): Promise<RunResult>;
  /** Gives back what it takes beside the store, before it is garbage; no run may follow. */
  free(): void;
}

const ARRAYS = { f32: Float32Array, bf16: Uint16Array, i32: Int32Array, u8: Uint8Array } as const;

/** Elements of a dtype; `FLATMIN_MEMORY` where there is no room for them. */
export const newNumbers = (dtype: DType, length: number): Numbers =>
  allocate(length * BYTES[dtype], `${length} elements`, () => new ARRAYS[dtype](length));

/** The same on memory that no one can detach, for work off the main thread. */
export const newShared = (dtype: DType, length: number): Numbers => {
  const bytes = length * BYTES[dtype];
  return allocate(
    bytes,
    `${length} elements`,
    () =>
      new (ARRAYS[dtype] as new (buffer: SharedArrayBuffer) => Numbers)(
        new SharedArrayBuffer(bytes),
      ),
  );
};
