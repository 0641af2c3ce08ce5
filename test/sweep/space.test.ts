import { describe, expect, it } from 'vitest';
import { pointsOf, type Range } from '../../src/sweep/space.ts';

describe('points of a space', () => {
  it('are all combinations, the last dimension changing first', () => {
    expect(pointsOf({ lr: [0.1, 0.01], kind: ['a', 'b', 'c'] })).toEqual([
      { lr: 0.1, kind: 'a' },
      { lr: 0.1, kind: 'b' },
      { lr: 0.1, kind: 'c' },
      { lr: 0.01, kind: 'a' },
      { lr: 0.01, kind: 'b' },
      { lr: 0.01, kind: 'c' },
    ]);
    expect(pointsOf({})).toEqual([{}]);
  });

  it('lie at even distances, or those of logarithms, with both ends exact', () => {
    const values = (range: Range) => pointsOf({ x: range }).map(({ x }) => x);
    expect(values({ from: 0, to: 0.1, count: 5 })).toEqual([0, 0.025, 0.05, 0.1 * 0.75, 0.1]);
    const logs = values({ from: 1e-5, to: 1e-2, count: 4, scale: 'log' }) as number[];
    expect([logs[0], logs[3]]).toEqual([1e-5, 1e-2]);
    for (const [i, x] of logs.entries()) expect(x).toBeCloseTo(10 ** (i - 5), 12);
    expect(values({ from: 3, to: 7, count: 1 })).toEqual([3]);
  });

  it('are drawn evenly from lists and ranges, and again from the same seed', () => {
    const space = {
      lr: { from: 1e-4, to: 1, scale: 'log' },
      k: ['a', 'b'],
      x: { from: 2, to: 4 },
    } as const;
    const points = pointsOf(space, { random: 4000 });
    expect(pointsOf(space, { random: 4000 })).toEqual(points);
    expect(pointsOf(space, { random: 10 })).toEqual(points.slice(0, 10));
    expect(pointsOf(space, { random: 10, drawSeed: 1 })).not.toEqual(points.slice(0, 10));
    // Standard errors at 4,000 draws: 0.018 of a decade's quarter, 0.008, 0.009.
    const logs = points.map(({ lr }) => Math.log10(lr as number));
    expect(Math.min(...logs)).toBeGreaterThanOrEqual(-4);
    expect(Math.max(...logs)).toBeLessThan(0);
    expect(mean(logs)).toBeCloseTo(-2, 0.9);
    expect(mean(points.map(({ k }) => (k === 'a' ? 1 : 0)))).toBeCloseTo(0.5, 1);
    expect(mean(points.map(({ x }) => x as number))).toBeCloseTo(3, 1);
  });

  it.each([
    [{ lr: [] }, {}, /values of lr must be at least one/],
    [{ lr: { from: 1, to: 2 } }, {}, /lr is a range without a count/],
    [
      { lr: { from: 0, to: 2, scale: 'log', count: 2 } },
      {},
      /range of lr must be two numbers above 0/,
    ],
    [{ lr: { from: 2, to: 1, count: 2 } }, {}, /from the lesser to the greater/],
    [{ lr: { from: 2, to: 1, counts: 2 } }, {}, /Unknown option "counts".*count/],
    [{ lr: 1 }, {}, /options of lr must be an object/],
    [{ lr: [1] }, { random: 0 }, /random must be a whole number of at least 1/],
    [null, {}, /space of a sweep must be an object/],
  ])('of %j by %j are refused', (space, draws, message) => {
    expect(() => pointsOf(space as never, draws)).toThrow(message);
  });
});

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
