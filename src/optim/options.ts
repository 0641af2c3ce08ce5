import { z } from 'zod';
import { show } from '../arguments.ts';
import { number } from '../options.ts';
import type { Schedule } from '../step/rate.ts';

/** Pieces of the optimizers' option schemas; messages say what was expected and what came. */

export const nonNegative = number(
  'a finite number of at least 0',
  (v) => Number.isFinite(v) && v >= 0,
);
export const positive = number('a finite number above 0', (v) => Number.isFinite(v) && v > 0);
/** A decay of a running mean. */
export const decay = number('a number of at least 0 and below 1', (v) => v >= 0 && v < 1);
/** A decay, or 1: a sum instead of a mean. */
export const decayOrSum = number('a number from 0 to 1', (v) => v >= 0 && v <= 1);
export const atLeast1 = number(
  'a finite number of at least 1',
  (v) => Number.isFinite(v) && v >= 1,
);
/** Of two directions, in radians. */
export const angle = number('a number from 0 to π', (v) => v >= 0 && v <= Math.PI);
export const count = number('a whole number of at least 1', (v) => Number.isInteger(v) && v >= 1);

/** The p of a norm. */
export const norm = number('a number of at least 1, or Infinity', (v) => v >= 1);

const isRate = (value: unknown): boolean =>
  typeof value === 'function' ||
  (typeof value === 'number' && Number.isFinite(value) && value >= 0);

/** A learning rate, or that of K-FAC's quadratic model. */
export const rateOrModel = z.custom<number | Schedule | 'model'>(
  (value) => value === 'model' || isRate(value),
  {
    error: ({ input }) =>
      `expected a finite number of at least 0, a schedule or 'model', got ${show(input)}`,
  },
);

/** A learning rate: required, never guessed. */
export const rate = z.custom<number | Schedule>(isRate, {
  error: ({ input }) => `expected a finite number of at least 0 or a schedule, got ${show(input)}`,
});

export const betas = z.tuple([decay, decay], {
  error: ({ input }) => `expected two numbers of at least 0 and below 1, got ${show(input)}`,
});
