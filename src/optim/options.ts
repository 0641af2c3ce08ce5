import { z } from 'zod';
import type { Schedule } from './schedule.ts';

/** Pieces of the optimizers' option schemas; messages say what was expected and what came. */

const show = (value: unknown): string =>
  typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));

const number = (expected: string, holds: (value: number) => boolean) =>
  z.custom<number>((value) => typeof value === 'number' && holds(value), {
    error: ({ input }) => `expected ${expected}, got ${show(input)}`,
  });

export const nonNegative = number(
  'a finite number of at least 0',
  (v) => Number.isFinite(v) && v >= 0,
);
export const positive = number('a finite number above 0', (v) => Number.isFinite(v) && v > 0);
/** A decay of a running mean. */
export const decay = number('a number of at least 0 and below 1', (v) => v >= 0 && v < 1);
export const count = number('a whole number of at least 1', (v) => Number.isInteger(v) && v >= 1);

/** A learning rate: required, never guessed. */
export const rate = z.custom<number | Schedule>(
  (value) =>
    typeof value === 'function' ||
    (typeof value === 'number' && Number.isFinite(value) && value >= 0),
  {
    error: ({ input }) =>
      `expected a finite number of at least 0 or a schedule, got ${show(input)}`,
  },
);

export const betas = z.tuple([decay, decay], {
  error: ({ input }) => `expected two numbers of at least 0 and below 1, got ${show(input)}`,
});
