import { type Shape, sizeOf } from '../graph/types.ts';
import type { Mode } from '../ops/modes.ts';

/** At least one dimension: a scalar is a vector of one. With `merge`, [out, everything else] of three or more. */
export function preconditionedDims(shape: Shape, merge: boolean): number[] {
  if (shape.length === 0) return [1];
  return merge && shape.length > 2 ? [shape[0], sizeOf(shape.slice(1))] : [...shape];
}

/** Each dimension of tensors [count, …dims]. */
export const modesOf = ([count, ...dims]: Shape): Mode[] =>
  dims.map((dim, i) => ({
    count,
    outer: sizeOf(dims.slice(0, i)),
    dim,
    inner: sizeOf(dims.slice(i + 1)),
  }));
