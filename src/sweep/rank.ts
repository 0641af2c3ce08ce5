import { checkNames, checkOneOf, checkText } from '../arguments.ts';
import { groupBy } from '../group.ts';
import { deviation, mean } from '../statistics.ts';
import type { Point } from './space.ts';
import type { Finished } from './trial.ts';

/** What decides between points. */
export interface Choice {
  /** Name of a measure. */
  readonly by: string;
  /** Whether the largest or the smallest value of the metric is best. */
  readonly best: 'max' | 'min';
}

/** A point with what its seeds came to. */
export interface Ranked {
  readonly point: number;
  readonly values: Point;
  /** Mean of the chosen measure over the seeds that were done and measured it; NaN where there is none. */
  readonly mean: number;
  /** Their standard deviation, n − 1 in the denominator; NaN for fewer than two. */
  readonly deviation: number;
  /** Seeds that were done. */
  readonly done: number;
  /** Seeds that were tried. */
  readonly tried: number;
}

export function checkChoice(choice: Choice): Choice {
  checkNames<Choice>('choice', choice, { by: true, best: true });
  checkText('by of choice', choice.by);
  checkOneOf('best of choice', choice.best, ['max', 'min']);
  return choice;
}

/**
 * Points, the best first. One of which a seed diverged or failed is behind all of which none did: a setting that
 * works by luck is not the best.
 */
export function rank(trials: readonly Finished[], { by, best }: Choice): Ranked[] {
  const ranked = [...groupBy(trials, ({ point }) => point)].map(([point, own]): Ranked => {
    const done = own.filter(({ status }) => status === 'done');
    const measured = done.map(({ measures }) => measures[by]).filter((x) => x !== undefined);
    return {
      point,
      values: own[0].values,
      mean: mean(measured),
      deviation: deviation(measured),
      done: done.length,
      tried: own.length,
    };
  });
  const whole = ({ done, tried }: Ranked) => (done === tried ? 0 : 1);
  const order = ({ mean }: Ranked) => {
    if (Number.isNaN(mean)) return Number.POSITIVE_INFINITY;
    return best === 'max' ? -mean : mean;
  };
  const compare = (a: number, b: number) => (a === b ? 0 : a - b);
  return ranked.sort(
    (a, b) => whole(a) - whole(b) || compare(order(a), order(b)) || a.point - b.point,
  );
}
