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
  // Waits grow by a quarter of the step until they reach the period: a few dozen steps, then one a period.
  const early: number[] = [];
  let steady = first;
  for (let t = sooner(first); t - steady < period; t = sooner(t)) {
    early.push(steady);
    steady = t;
  }
  return (step) => {
    if (step >= 1) return step < steady ? early.includes(step) : (step - steady) % period === 0;
    throw new FlatminError('FLATMIN_ARGUMENT', `Steps count from 1, got ${step}`);
  };
}

/** The least t above `last` with t − last ≥ max(1, ⌊t/5⌋). */
const sooner = (last: number): number => Math.max(last + 1, Math.floor((5 * (last - 1)) / 4) + 1);
