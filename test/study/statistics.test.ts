import { describe, expect, it } from 'vitest';
import { deviation, mean, median } from '../../src/statistics.ts';
import { bootstrap, differenceOf, ratioOf } from '../../src/study/bootstrap.ts';
import { normal } from '../random/normal.ts';

const never = Number.POSITIVE_INFINITY;

describe('statistics', () => {
  it('are those of the textbook', () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(deviation([1, 2, 6])).toBeCloseTo(Math.sqrt(7), 12);
    expect(deviation([1])).toBeNaN();
    expect(median([5, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([1, never, never])).toBe(never);
  });
});

describe('the bootstrap', () => {
  it('covers the true mean of normal samples about as often as it says', () => {
    // Percentile intervals of 20 values are a little short: 0.92 to 0.94 of them hold the mean.
    const source = { seed: 1, stream: 0, step: 0 };
    const draws = Array.from({ length: 20 * 400 }, (_, i) => normal(source, i));
    const covered = Array.from({ length: 400 }, (_, k) => {
      const sample = draws.slice(20 * k, 20 * (k + 1));
      const { low, high } = bootstrap([sample], ([x]) => mean(x));
      return low <= 0 && high >= 0 ? 1 : 0;
    });
    expect(mean(covered)).toBeGreaterThan(0.89);
    expect(mean(covered)).toBeLessThan(0.97);
  });

  it('has no spread for equal values, and the same interval every time', () => {
    expect(differenceOf([3, 3, 3], [1, 1])).toEqual({ value: 2, low: 2, high: 2 });
    const [a, b] = [
      [1, 2, 3],
      [2, 4, 9],
    ];
    expect(ratioOf(a, b)).toEqual(ratioOf(a, b));
    const { value, low, high } = ratioOf(a, b);
    expect(value).toBe(0.5);
    expect([low, high]).toEqual([1 / 9, 1.5]);
  });

  it('knows of times that never came', () => {
    expect(ratioOf([1, 2], [never, never])).toEqual({ value: 0, low: 0, high: 0 });
    expect(ratioOf([never, never], [1, 2])).toEqual({ value: never, low: never, high: never });
    expect(ratioOf([never, never], [never, never])).toEqual({
      value: Number.NaN,
      low: Number.NEGATIVE_INFINITY,
      high: never,
    });
  });
});
