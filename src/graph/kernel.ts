import { isFloat32Array, isInt32Array } from '../arguments.ts';
import type { DType, TensorType } from './types.ts';

/** The elements of a buffer in the TypeScript executor; float64 stands in for f32 when it is the reference. */
export type Numbers = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array;

/** An operand of a prepared kernel. `data` may change between runs, its length does not. */
export interface Operand extends TensorType {
  readonly size: number;
  data: Numbers;
}

/** Runs one step. `row` is the step's parameter row, read through `…Slot` attributes. */
export type Kernel = (row: Float64Array) => void;

/** What the network takes: whole numbers where `dtype` is `i32`, others elsewhere. */
export const isArrayOf = (dtype: DType, value: unknown): value is Float32Array | Int32Array =>
  dtype === 'i32' ? isInt32Array(value) : isFloat32Array(value);
