/** Element types of buffers. `bf16` is stored as its 16 bits. */
export type DType = 'f32' | 'bf16' | 'i32' | 'u8';

/** Row-major dimensions; `[]` is a scalar. */
export type Shape = readonly number[];

export interface TensorType {
  /** What the inputs are kept as. */
  readonly dtype: DType;
  /** With the batch first, as [1, 3]. */
  readonly shape: Shape;
}

export const BYTES: Readonly<Record<DType, number>> = { f32: 4, bf16: 2, i32: 4, u8: 1 };

export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

export const bytesOf = (type: TensorType): number => sizeOf(type.shape) * BYTES[type.dtype];

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);

export const showType = (type: TensorType): string => `${type.dtype}[${type.shape.join(', ')}]`;

/** A static attribute of an instruction. Keys ending in `Slot` hold an index into the parameter block. */
export type Attr = number | string | readonly number[];
export type Attrs = Readonly<Record<string, Attr>>;

/** Where a buffer lives: in the program's planned arena, in the shared store, or in the caller's array. */
export type Place =
  | { readonly kind: 'arena'; readonly offset: number }
  | { readonly kind: 'store'; readonly key: string }
  | { readonly kind: 'bound'; readonly key: string };

export interface BufferSpec extends TensorType {
  readonly place: Place;
}

export interface Instruction {
  readonly op: string;
  /** Buffer ids. Buffers that an instruction updates in place stand among its inputs. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly attrs: Attrs;
  /** 0 runs in every step; s > 0 when the step's row has a non-zero value in column slots + s − 1. */
  readonly section: number;
}

/** What executors run: plain data, the same for all of them. */
export interface ProgramSpec {
  readonly buffers: readonly BufferSpec[];
  readonly instructions: readonly Instruction[];
  readonly arenaBytes: number;
  /** Columns of a parameter row: the slots' values, then one flag for each section from 1 on. */
  readonly slots: readonly string[];
  readonly sections: readonly string[];
  /** f32 scalars copied out after every step. */
  readonly reports: readonly number[];
  /** The status block's buffer: the run stops when its first word is set. −1: none. */
  readonly status: number;
  /** Instruction indices that begin a new phase; a run may be limited to one phase. */
  readonly phases: readonly number[];
}
