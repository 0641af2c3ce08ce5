import type { MethodName } from '../tasks/methods.ts';
import type { EpochMetrics } from '../train/checkpoint.ts';

/** What a finished run comes to. */
export interface Result {
  readonly optimizer: MethodName;
  readonly synthetic: boolean;
  readonly testAccuracy: number;
  readonly testLoss: number;
  readonly trainLoss: number;
  /** Training alone, without evaluation. */
  readonly seconds: number;
  readonly target: number;
  /** Until the test accuracy first reached the target; null where it never did. */
  readonly epochsToTarget: number | null;
  readonly secondsToTarget: number | null;
}

export function summarise(
  { optimizer, synthetic }: Pick<Result, 'optimizer' | 'synthetic'>,
  target: number,
  history: readonly EpochMetrics[],
): Result {
  const { testAccuracy, testLoss, trainLoss } = history[history.length - 1] as Tested;
  const reached = history.findIndex((epoch) => (epoch as Tested).testAccuracy >= target);
  const secondsOf = (epochs: readonly EpochMetrics[]) =>
    epochs.reduce((sum, { epochSeconds }) => sum + epochSeconds, 0);
  return {
    optimizer,
    synthetic,
    testAccuracy,
    testLoss,
    trainLoss,
    seconds: secondsOf(history),
    target,
    epochsToTarget: reached < 0 ? null : reached + 1,
    secondsToTarget: reached < 0 ? null : secondsOf(history.slice(0, reached + 1)),
  };
}

/** Every task has test data. */
type Tested = Required<EpochMetrics>;
