import { describe, expect, it } from 'vitest';
import { quantile, shown, thinned } from '../../src/report/numbers.ts';

describe('shown', () => {
  it.each([
    [0, '0'],
    [-0, '0'],
    [0.98765, '0.9877'],
    [0.5, '0.5'],
    [-0.00012345, '−0.000123'],
    [12.3456, '12.35'],
    [1234.5, '1,235'],
    [60_000, '60,000'],
    [-48_000.4, '−48,000'],
    [5e-5, '5e−5'],
    [-1.2345e-6, '−1.23e−6'],
    [12_345_678, '1.23e7'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, '∞'],
    [Number.NEGATIVE_INFINITY, '−∞'],
  ])('%d as %s', (value, text) => expect(shown(value)).toBe(text));
});

describe('quantile', () => {
  it('lies between the ordered values', () => {
    expect([0, 0.25, 0.5, 0.75, 1].map((share) => quantile([1, 2, 4, 8], share))).toEqual([
      1, 1.75, 3, 5, 8,
    ]);
    expect(quantile([3], 0.25)).toBe(3);
  });
});

describe('thinned', () => {
  it('keeps the ends', () => {
    expect(thinned([1, 2, 3], 3)).toEqual([1, 2, 3]);
    expect(thinned([0, 1, 2, 3, 4, 5, 6], 3)).toEqual([0, 3, 6]);
  });
});
