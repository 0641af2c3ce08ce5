import { describe, expect, it } from 'vitest';
import { every, type Refreshes, refreshes } from '#flatmin/optim/refreshes';

const upTo = (end: number, { due }: Refreshes) =>
  Array.from({ length: end }, (_, i) => i + 1).filter(due);

/** The rule as it is written, step by step. */
function byDefinition(
  end: number,
  period: number,
  { first = 1, of, moving = false }: { first?: number; of?: Refreshes; moving?: boolean } = {},
): number[] {
  const steps: number[] = [];
  for (let t = first; t <= end; t++) {
    const waited = t - (steps.at(-1) ?? 0);
    const wait = Math.min(period, Math.max(1, Math.floor(t / 5)));
    if (t === first || (waited >= wait && (of?.due(t) ?? true)) || (moving && waited >= period))
      steps.push(t);
  }
  return steps;
}

describe('refreshes', () => {
  it('come sooner while the step is small', () => {
    expect(upTo(60, refreshes(10))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 19, 23, 28, 34, 42, 52,
    ]);
    expect(upTo(60, every(10))).toEqual([1, 11, 21, 31, 41, 51]);
  });

  const periods = [1, 2, 3, 7, 10, 20, 50, 100, 1000];
  it.each(periods)('are those of the rule: every %i', (period) => {
    for (const first of [1, 7, 60, 400]) {
      expect(upTo(1200, refreshes(period, { first }))).toEqual(
        byDefinition(1200, period, { first }),
      );
    }
  });

  it.each(periods)('wait until what they are made of changes: every %i', (period) => {
    for (const other of periods) {
      for (const of of [every(other), refreshes(other)]) {
        for (const given of [{}, { first: 8 }, { moving: true }, { first: 77, moving: true }]) {
          expect(upTo(1200, refreshes(period, { of, ...given }))).toEqual(
            byDefinition(1200, period, { ...given, of }),
          );
        }
      }
    }
  });

  it('take nothing to know of the far steps', () => {
    const started = performance.now();
    for (const period of [1, 10, 2 ** 31, 2 ** 52]) {
      const of = refreshes(period);
      const { due, next } = refreshes(10, { of });
      for (const step of [2e9, 2 ** 50]) expect(due(next(step))).toBe(true);
    }
    expect(performance.now() - started).toBeLessThan(200);
  });

  it('count steps from 1', () => {
    expect(() => refreshes(10).due(0)).toThrow('Steps count from 1, got 0');
  });
});
