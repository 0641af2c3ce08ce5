import { forEachWord, STREAM } from '../random/philox.ts';
import { mean, median } from '../statistics.ts';

/** A number with the ends of its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2000;
const TAIL = 0.025;

/**
 * `statistic` of samples with its 95 % percentile bootstrap interval (Efron & Tibshirani 1993, § 13.3): from 2,000
 * resamples, each sample drawn from anew with replacement and apart from the others, always the same draws. A statistic
 * that is no number in a resample, as ∞ − ∞, widens the interval to both sides.
 */
export function bootstrap(
  samples: readonly (readonly number[])[],
  statistic: (samples: readonly (readonly number[])[]) => number,
): Estimate {
  const drawn = samples.map(({ length }, i) => drawsOf(length, i));
  const resamples = samples.map((sample) => [...sample]);
  const stats = Array.from({ length: RESAMPLES }, (_, r) => {
    samples.forEach((sample, i) => {
      sample.forEach((_, k) => {
        resamples[i][k] = sample[drawn[i][r * sample.length + k]];
      });
    });
    return statistic(resamples);
  });
  const unknown = stats.filter(Number.isNaN).length;
  const known = stats.filter((x) => !Number.isNaN(x)).sort((a, b) => a - b);
  const ordered = [
    ...Array(unknown).fill(Number.NEGATIVE_INFINITY),
    ...known,
    ...Array(unknown).fill(Number.POSITIVE_INFINITY),
  ];
  const at = (part: number) => ordered[Math.round(part * (ordered.length - 1))];
  return { value: statistic(samples), low: at(TAIL), high: at(1 - TAIL) };
}

const DRAWS = new Map<string, Int32Array>();

/** Which of `count` values each place of each resample of sample number `index` takes. */
function drawsOf(count: number, index: number): Int32Array {
  const key = `${count} ${index}`;
  const known = DRAWS.get(key);
  if (known !== undefined) return known;
  const draws = new Int32Array(RESAMPLES * count);
  forEachWord({ seed: 0, stream: STREAM.bootstrap, step: index }, draws.length, (i, word) => {
    draws[i] = Math.floor((word / 2 ** 32) * count);
  });
  DRAWS.set(key, draws);
  return draws;
}

/** Mean of `a` less mean of `b`. */
export const differenceOf = (a: readonly number[], b: readonly number[]): Estimate =>
  bootstrap([a, b], ([x, y]) => mean(x) - mean(y));

/** Median of `a` over median of `b`: with times that were never reached as Infinity. */
export const ratioOf = (a: readonly number[], b: readonly number[]): Estimate =>
  bootstrap([a, b], ([x, y]) => median(x) / median(y));
