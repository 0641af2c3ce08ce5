import { FlatminError } from '../errors.ts';
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

/**
 * When something stale is made anew: at step `first`, then when t − t_last ≥ min(period, max(1, ⌊t/5⌋)), so that
 * nothing early grows old.
 */
export function refreshes(period: number, first = 1): (step: number) => boolean {
  const due: boolean[] = [];
  let last = 0;
  return (step) => {
    for (let t = due.length + 1; t <= step; t++) {
      const wait = Math.min(period, Math.max(1, Math.floor(t / 5)));
      const fresh = t === first || (t > first && t - last >= wait);
      if (fresh) last = t;
      due.push(fresh);
    }
    if (due[step - 1] === undefined) {
      throw new FlatminError('FLATMIN_ARGUMENT', `Steps count from 1, got ${step}`);
    }
    return due[step - 1];
  };
}
