import { z } from 'zod';
import { METHOD_NAMES } from '../tasks/methods.ts';
import type { EpochMetrics } from '../train/checkpoint.ts';
import { anyNumber } from '../train/json-numbers.ts';

const seconds = z.number().nonnegative();

export const resultSchema = z.object({
  optimizer: z.enum(METHOD_NAMES),
  synthetic: z.boolean(),
  testAccuracy: anyNumber.optional(),
  testLoss: anyNumber,
  trainLoss: anyNumber,
  /** Training alone, without evaluation. */
  seconds,
  target: z.number(),
  /** Until the test accuracy first reached the target; null where it never did. */
  epochsToTarget: z.int().positive().nullable(),
  secondsToTarget: seconds.nullable(),
  /** Of the test data by their names, accuracy among them. */
  metrics: z.record(z.string(), anyNumber).optional(),
  /** Why it ended before its last epoch, where it did. */
  stopped: z.enum(['early', 'diverged']).optional(),
  /** What the model writes from nothing, where it is one that writes. */
  sample: z.string().optional(),
});

/** What a finished run comes to. */
export type Result = Readonly<z.output<typeof resultSchema>>;

export function summarise(
  { optimizer, synthetic }: Pick<Result, 'optimizer' | 'synthetic'>,
  target: number,
  history: readonly EpochMetrics[],
): Result {
  const { testAccuracy, testLoss, trainLoss, metrics } = history[history.length - 1] as Tested;
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
    metrics,
  };
}

/** Every task has test data. */
type Tested = Required<EpochMetrics>;
