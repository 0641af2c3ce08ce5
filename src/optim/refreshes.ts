import { FlatminError } from '../errors.ts';

/** Steps in which something is made anew: a function of the step alone, so that a resumed run goes on as it would have. */
export interface Refreshes {
  due(step: number): boolean;
  /** The first of these steps from `step` on. */
  next(step: number): number;
  /** From here on they stand a period apart. */
  readonly steady: number;
}

/** Steps 1, 1 + period, 1 + 2 · period, … */
export const every = (period: number): Refreshes => progression([], 1, period);

/**
 * When what grows stale is made anew: at step `first`, then when t − t_last ≥ min(period, max(1, ⌊t/5⌋)), so that
 * nothing early grows old. What is made `of` something else waits on for a step in which that changes. What depends on
 * something besides, as a `moving` damping, does not wait longer than its period.
 */
export function refreshes(
  period: number,
  { first = 1, of, moving = false }: { first?: number; of?: Refreshes; moving?: boolean } = {},
): Refreshes {
  const from = (step: number) => of?.next(step) ?? step;
  const after = (last: number): number => {
    const next = from(Math.min(last + period, sooner(last)));
    return moving ? Math.min(next, last + period) : next;
  };
  // Waits grow by a quarter of the step until they reach the period: a few dozen steps for the longest.
  const early: number[] = [];
  let last = first;
  const settled = () =>
    sooner(last) - last >= period && (moving || of === undefined || isSteady(of, last));
  while (!settled()) {
    early.push(last);
    last = after(last);
  }
  return progression(early, last, after(last) - last);
}

/** The least t above `last` with t − last ≥ max(1, ⌊t/5⌋). */
const sooner = (last: number): number => Math.max(last + 1, Math.floor((5 * (last - 1)) / 4) + 1);

const isSteady = (of: Refreshes, step: number) => step >= of.steady && of.due(step);

function progression(early: readonly number[], steady: number, period: number): Refreshes {
  const next = (step: number): number => {
    if (step > steady) return steady + Math.ceil((step - steady) / period) * period;
    return early.find((t) => t >= step) ?? steady;
  };
  const due = (step: number): boolean => {
    if (!(step >= 1)) {
      throw new FlatminError('FLATMIN_ARGUMENT', `Steps count from 1, got ${step}`);
    }
    return next(step) === step;
  };
  return { due, next, steady };
}
