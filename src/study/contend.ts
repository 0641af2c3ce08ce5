import type { DeviceName } from '../backend/device.ts';
import { fit } from '../doors/fit.ts';
import { FlatminError } from '../errors.ts';
import type { Options } from '../optim/variants.ts';
import { makeOptimizer, variantOf } from '../tasks/methods.ts';
import { scheduled } from '../tasks/schedules.ts';
import type { Problem, Task } from '../tasks/task.ts';
import type { EpochMetrics, StepEvaluation } from '../train/checkpoint.ts';
import type { StepReport } from '../train/training.ts';
import type { Run } from './measured.ts';
import type { Comparison, Contender, Extent } from './study.ts';

export interface ContendOptions {
  readonly task: Task;
  readonly problem: Problem;
  readonly device: DeviceName;
  readonly threads: number | undefined;
  readonly signal: AbortSignal;
  /** File of the checkpoint, from which it goes on. Default none. */
  readonly checkpoint?: string;
  readonly onStep?: (report: StepReport) => void;
}

/** All options of a contender: its own over those that the method has. */
export const settingsOf = ({ method, settings }: Pick<Contender, 'method' | 'settings'>): Options =>
  variantOf(method).settings(settings);

/**
 * Trains a contender with a seed to the end. Numbers that are no longer finite end a run as divergence does; `FLATMIN_ABORTED`
 * where the signal stopped it, with a checkpoint.
 */
export async function contend(
  comparison: Comparison,
  contender: Contender,
  { epochs, evaluateEvery }: Extent,
  seed: number,
  { task, problem, device, threads, signal, checkpoint, onStep }: ContendOptions,
): Promise<Run> {
  const settings = settingsOf(contender);
  const lr = scheduled(comparison.schedule, settings.lr as number | 'model', epochs);
  const stepsOfEpoch = Math.ceil(problem.data.train.count / task.batch);
  const told: { epochs: Run['epochs'][number][]; curve: Run['curve'][number][] } = {
    epochs: [],
    curve: [],
  };
  const onEpoch = ({ trainLoss, testLoss, metrics, epochSeconds }: EpochMetrics) => {
    told.epochs.push({ ...judged(testLoss, metrics), trainLoss, seconds: epochSeconds });
  };
  const onEvaluation = ({ step, seconds, testLoss, metrics }: StepEvaluation) => {
    told.curve.push({ step, epoch: step / stepsOfEpoch, seconds, testLoss, metrics });
  };
  const run = (diverged: boolean): Run => ({
    comparison: comparison.name,
    contender: contender.name,
    seed,
    diverged,
    ...told,
  });
  try {
    const { stopped } = await fit(problem.model, problem.data, {
      optimizer: makeOptimizer(contender.method, { ...settings, lr }),
      loss: problem.loss,
      metrics: problem.metrics,
      batch: task.batch,
      epochs,
      seed,
      device,
      threads,
      signal,
      checkpoint,
      resume: checkpoint !== undefined,
      evaluateEvery: { steps: evaluateEvery, epochs: 1 },
      onStart: (history, _, evaluations) => {
        history.forEach(onEpoch);
        evaluations.forEach(onEvaluation);
      },
      onStep,
      onEpoch,
      onEvaluation,
    });
    if (stopped === 'aborted') throw new FlatminError('FLATMIN_ABORTED', 'The study was stopped');
    return run(stopped === 'diverged');
  } catch (error) {
    if (error instanceof FlatminError && error.code === 'FLATMIN_NUMERICS') return run(true);
    throw error;
  }
}

const judged = (testLoss = Number.NaN, metrics: Readonly<Record<string, number>> = {}) => ({
  testLoss,
  metrics,
});
