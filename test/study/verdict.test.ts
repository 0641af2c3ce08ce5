import { describe, expect, it } from 'vitest';
import {
  above,
  alike,
  all,
  atMostTimes,
  below,
  faster,
  figure,
  first,
  near,
  not,
  type Verdict,
} from '../../src/study/verdict.ts';

const never = Number.POSITIVE_INFINITY;
const sample = (name: string, ...values: number[]) => ({ name, values });
const low = sample('low', 0.5, 0.51, 0.52);
const high = sample('high', 0.9, 0.91, 0.92);
const wide = sample('wide', 0.2, 0.6, 0.99);
const one = sample('one', 0.5);
const decisions = (verdicts: readonly Verdict[]) => verdicts.map(({ decision }) => decision);

describe('a verdict', () => {
  it.each([
    ['above', above(high, low), above(low, high), above(wide, low)],
    ['below', below(low, high), below(high, low), below(low, wide)],
    ['by a margin', above(high, low, 0.3), above(high, low, 0.5), above(wide, low, 0.05)],
    ['alike', alike([low, low], 0.05), alike([low, high], 0.05), alike([low, wide], 0.05)],
    ['near', near(low, 0.5, 0.05), near(high, 0.5, 0.05), near(wide, 0.5, 0.05)],
    ['faster', faster(low, high), faster(high, low), faster(low, wide)],
    [
      'at most so many times',
      atMostTimes(high, low, 2),
      atMostTimes(high, low, 1.5),
      atMostTimes(wide, low, 1.2),
    ],
    ['first', first(low, [high, high]), first(high, [low, wide]), first(low, [high, wide])],
    ['not', not(above(low, high)), not(above(high, low)), not(above(wide, low))],
  ])('of %s is each of three', (_, ...verdicts) => {
    expect(decisions(verdicts)).toEqual([
      'borne out',
      'not borne out',
      'not decided by these runs',
    ]);
  });

  it('of several holds with all of them, and falls with one', () => {
    const [yes, no, open] = [above(high, low), above(low, high), above(wide, low)];
    expect(decisions([all([yes, yes]), all([yes, open]), all([open, no, yes])])).toEqual([
      'borne out',
      'not decided by these runs',
      'not borne out',
    ]);
  });

  it('says each figure once, and of a level its name', () => {
    const level = { name: 'a level of 0.7', values: [0.7, 0.7], level: true } as const;
    expect(all([above(high, level), above(high, level)]).because).toEqual([
      'high 0.91 (n 3)',
      'a level of 0.7',
      'difference 0.21 [0.2, 0.22]',
    ]);
  });

  it('is left open by runs that are missing', () => {
    const missing = [above(one, low), alike([low, one], 1), faster(low, one), near(one, 0, 1)];
    expect(new Set(decisions(missing))).toEqual(new Set(['not decided by these runs']));
    expect(missing[0].because).toEqual(['one: 1 of the 2 runs that this takes']);
  });

  it('counts what never came as slower than all that did, and leaves two such open', () => {
    const lost = sample('lost', never, never);
    expect(faster(low, lost)).toEqual({
      decision: 'borne out',
      because: ['low 0.51 (n 3)', 'lost ∞ (2 of 2 never)', 'ratio 0 [0, 0]'],
    });
    expect(faster(lost, lost).decision).toBe('not decided by these runs');
  });

  it('has figures of four digits', () => {
    expect([0.98765, 48000.2, -0.00012346, 0, Number.NaN].map(figure)).toEqual([
      '0.9877',
      '48000',
      '−0.0001235',
      '0',
      'unknown',
    ]);
  });
});
