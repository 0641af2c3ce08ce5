import { show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Moment } from '../graph/moment.ts';
import { type Rate, rateAt } from './rate.ts';

/** Throws unless `epoch` may be the number of epochs finished, or unset. */
export function checkEpoch(epoch: unknown): asserts epoch is number | undefined {
  const known = typeof epoch === 'number' && Number.isInteger(epoch);
  // A state dict keeps it as an i32.
  if (epoch === undefined || (known && epoch >= 0 && epoch < 2 ** 31)) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `epoch must be a whole number of at least 0, the epochs already finished, got ${show(epoch)}`,
  );
}

/** What the caller of a loop of their own may set between its steps. */
export interface Adjusted {
  readonly epoch?: number;
  readonly rate?: Rate;
}

/** A step of a loop that is the caller's: reading its epoch throws where the caller has not said it. */
export const momentOf = (step: number, seed: number, { epoch, rate }: Adjusted): Moment => ({
  step,
  seed,
  offset: 0,
  get epoch(): number {
    if (epoch !== undefined) return epoch;
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      'The learning rate is a schedule in epochs, and no epoch was set. Help: set epoch on what you step with, optimizer.epoch = 0 before the first epoch, 1 before the second, or give the schedule a length in steps.',
    );
  },
  get lr(): number | undefined {
    return rate === undefined ? undefined : rateAt(rate, this);
  },
});
