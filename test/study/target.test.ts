import { describe, expect, it } from 'vitest';
import { performanceProfile, reaching } from '../../src/study/target.ts';

const curve = (...values: number[]) =>
  values.map((value, i) => ({ step: 10 * (i + 1), epoch: (i + 1) / 2, seconds: i + 1, value }));

describe('reaching a target', () => {
  it('is where the mean of three evaluations first does', () => {
    expect(reaching(curve(0.1, 0.5, 0.6, 0.7, 0.8), 0.6)?.step).toBe(40);
    expect(reaching(curve(0.7, 0.8, 0.9), 0.8)?.step).toBe(30);
    expect(reaching(curve(0.985, 0.985, 0.985), 0.985)?.step).toBe(30);
  });

  it('is not at a single lucky evaluation, nor at a start that is averaged with nothing', () => {
    expect(reaching(curve(0.1, 0.95, 0.1, 0.1, 0.1), 0.6)).toBeUndefined();
    expect(reaching(curve(0.9, 0.1, 0.1, 0.1), 0.6)).toBeUndefined();
  });

  it('takes what there is of a run of one or two evaluations', () => {
    expect(reaching(curve(0.7), 0.6)?.step).toBe(10);
    expect(reaching(curve(0.5, 0.8), 0.6)?.step).toBe(20);
    expect(reaching([], 0.6)).toBeUndefined();
  });

  it('may be from above, and never of what is no number', () => {
    expect(reaching(curve(5, 3, 1, 1, 1), 1.7, 'min')?.step).toBe(40);
    expect(reaching(curve(0.9, Number.NaN, 0.9, 0.9), 0.6)).toBeUndefined();
  });
});

it('a performance profile has the shares of problems by ratio to the fastest', () => {
  const never = Number.POSITIVE_INFINITY;
  expect(
    performanceProfile({ a: [1, 4, never, never], b: [2, 2, 3, never], c: [never, 2, 6, never] }),
  ).toEqual({
    a: [
      [1, 0.25],
      [2, 0.5],
    ],
    b: [
      [1, 0.25],
      [1, 0.5],
      [2, 0.75],
    ],
    c: [
      [1, 0.25],
      [2, 0.5],
    ],
  });
});
