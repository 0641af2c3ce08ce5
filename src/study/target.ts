import { mean } from '../statistics.ts';

/** An evaluation along a run. */
export interface Point {
  /** Steps taken. */
  readonly step: number;
  /** Epochs, parts of them counted. */
  readonly epoch: number;
  /** Training alone: evaluations take no time. */
  readonly seconds: number;
  readonly value: number;
}

/** Evaluations whose mean decides, so that a single lucky one does not. */
const WINDOW = 3;
/** Means of what lies at the target may be below it by rounding. */
const ROUNDING = 1e-12;

/**
 * The first evaluation at which the mean of the last three is at least `target` (for `best: 'min'` at most); the first two
 * of a run have fewer to be averaged with and never decide, unless a run has no more. `undefined` where it never is.
 */
export function reaching(
  curve: readonly Point[],
  target: number,
  best: 'max' | 'min' = 'max',
): Point | undefined {
  const window = Math.min(WINDOW, curve.length);
  return curve.find((_, i) => {
    if (i + 1 < window) return false;
    const smooth = mean(curve.slice(i + 1 - window, i + 1).map(({ value }) => value));
    return best === 'max' ? smooth >= target - ROUNDING : smooth <= target + ROUNDING;
  });
}

/**
 * Performance profile (Dolan & Moré 2002): of each method, as points (τ, share of the problems on which it took at most
 * τ times as long as the fastest method on it). `costs[method][problem]`, Infinity where the target was not reached;
 * problems that no method solved count for none.
 */
export function performanceProfile(
  costs: Readonly<Record<string, readonly number[]>>,
): Record<string, [number, number][]> {
  const methods = Object.keys(costs);
  const problems = costs[methods[0]]?.length ?? 0;
  const fastest = Array.from({ length: problems }, (_, p) =>
    Math.min(...methods.map((method) => costs[method][p])),
  );
  return Object.fromEntries(
    methods.map((method) => {
      const ratios = costs[method]
        .map((cost, p) => cost / fastest[p])
        .filter(Number.isFinite)
        .sort((a, b) => a - b);
      return [method, ratios.map((ratio, i): [number, number] => [ratio, (i + 1) / problems])];
    }),
  );
}
