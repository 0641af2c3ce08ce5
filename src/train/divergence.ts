import { z } from 'zod';
import { median } from '../statistics.ts';
import { anyNumber } from './json-numbers.ts';

/** Examples whose losses are the level that a training begins at. */
const FIRST_ROWS = 32;
/** Steps whose median loss is looked at, and twice as many are taken before a look. */
const STEPS = 10;

export const divergenceSchema = z.object({
  /** Losses of the first steps. */
  first: z.array(anyNumber),
  /** Σ rows of these. */
  rows: z.number().nonnegative(),
  /** The last losses. */
  recent: z.array(anyNumber).max(2 * STEPS),
  /** Steps since the last look. */
  since: z.int().nonnegative(),
  /** What was found then; NaN before the first. */
  seen: anyNumber,
});

type State = z.output<typeof divergenceSchema>;

/**
 * Follows the losses of the steps taken and tells when they have grown for good. L₀ is the median loss of the first steps,
 * as many as have 32 examples (one, where the batch has). A look at the end of an epoch, twenty steps after the last or
 * later, finds that the training has diverged where the median loss of the last ten steps is more than factor · L₀ > 0 and
 * has not halved since the look before, or at the first since the ten steps before. A spike, and a descent from one, are
 * therefore no divergence.
 */
export class Divergence {
  state: State = { first: [], rows: 0, recent: [], since: 0, seen: NaN };

  /** A step was taken on so many examples. */
  step(loss: number, rows: number): void {
    const { state } = this;
    if (state.rows < FIRST_ROWS) {
      state.first = [...state.first, loss];
      state.rows += rows;
    }
    state.recent.push(loss);
    if (state.recent.length > 2 * STEPS) state.recent.shift();
    state.since += 1;
  }

  /** Looks, where it is time to. */
  look(factor: number): boolean {
    const { state } = this;
    if (state.since < 2 * STEPS) return false;
    const before = Number.isNaN(state.seen) ? median(state.recent.slice(0, STEPS)) : state.seen;
    state.since = 0;
    state.seen = median(state.recent.slice(-STEPS));
    const level = median(state.first);
    return level > 0 && state.seen > factor * level && state.seen > before / 2;
  }
}
