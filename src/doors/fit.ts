import { checkBoolean, checkNames, checkWhole, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Layer } from '../nn/layer.ts';
import { checkForm, checkParts } from '../train/check-form.ts';
import { type EpochMetrics, loadCheckpoint, saveCheckpoint } from '../train/checkpoint.ts';
import { TrainedModel } from '../train/model.ts';
import {
  type Position,
  type StepReport,
  TRAINING_OPTIONS,
  Training,
  type TrainingData,
  type TrainingOptions,
} from '../train/training.ts';

export interface FitOptions extends TrainingOptions {
  /** Passes over the training data. */
  readonly epochs: number;
  /** Called before the first step with what the checkpoint brought back: finished epochs, and where to go on. */
  readonly onStart?: (history: readonly EpochMetrics[], position: Readonly<Position>) => unknown;
  /**
   * Called in order for every step, some 50 ms at most after it was taken. While a promise of it is pending no further
   * report is given and training pauses.
   */
  readonly onStep?: (report: StepReport) => unknown;
  /** Called after every epoch's evaluation. */
  readonly onEpoch?: (metrics: EpochMetrics) => unknown;
  /** Stops between two steps; `fit` then throws `FLATMIN_ABORTED`. */
  readonly signal?: AbortSignal;
  /** File for checkpoints: written after every epoch and when stopped. */
  readonly checkpoint?: string;
  /** Go on from `checkpoint` where it exists. Default false. */
  readonly resume?: boolean;
}

export interface Fitted {
  readonly model: TrainedModel;
  readonly history: readonly EpochMetrics[];
}

/**
 * Trains a model: `epochs` passes over `data.train` in batches, an evaluation on `data.test` after each.
 * Equal options and seed give equal results to the bit on one backend, whatever the number of threads.
 * Promises of callbacks are awaited; what a callback throws or its promise is rejected with stops the training, and `fit`
 * rejects with it.
 */
export async function fit(model: Layer, data: TrainingData, options: FitOptions): Promise<Fitted> {
  checkOptions(options);
  checkForm(data);
  const { epochs, signal, checkpoint } = options;
  const training = new Training(model, data, options);
  const history: EpochMetrics[] =
    options.resume && checkpoint !== undefined ? loadCheckpoint(checkpoint, training) : [];
  const save = () => {
    if (checkpoint !== undefined) saveCheckpoint(checkpoint, training, history);
  };
  // Looked at before the caller can change the data.
  if (checkpoint !== undefined) void training.configuration;
  await options.onStart?.(history, training.position);
  while (training.position.epoch < epochs) {
    const done = await training.epoch({ signal, onStep: options.onStep });
    if (done === undefined) {
      save();
      const { epoch, row } = training.position;
      throw new FlatminError(
        'FLATMIN_ABORTED',
        `Training was stopped in epoch ${epoch + 1} after ${row} of ${training.rows} rows`,
      );
    }
    const test = await training.evaluate();
    const metrics: EpochMetrics = {
      epoch: training.position.epoch,
      trainLoss: done.loss,
      ...(test && { testLoss: test.loss }),
      ...(test?.metrics.accuracy !== undefined && { testAccuracy: test.metrics.accuracy }),
      epochSeconds: done.seconds,
      ...(test && { metrics: test.metrics }),
    };
    history.push(metrics);
    save();
    await options.onEpoch?.(metrics);
  }
  return { model: new TrainedModel(training), history };
}

function checkOptions(options: FitOptions): void {
  checkNames<FitOptions>('fit', options, {
    ...TRAINING_OPTIONS,
    epochs: true,
    onStart: true,
    onStep: true,
    onEpoch: true,
    signal: true,
    checkpoint: true,
    resume: true,
  });
  checkParts(options);
  const { epochs, onStart, onStep, onEpoch, signal, checkpoint, resume } = options;
  checkWhole('epochs', epochs, 0);
  for (const [name, callback] of Object.entries({ onStart, onStep, onEpoch })) {
    if (callback === undefined || typeof callback === 'function') continue;
    throw wrongArgument(name, 'a function', callback);
  }
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw wrongArgument('signal', 'an AbortSignal', signal);
  }
  if (checkpoint !== undefined && typeof checkpoint !== 'string') {
    throw wrongArgument('checkpoint', 'the path of a file', checkpoint);
  }
  if (resume !== undefined) checkBoolean('resume', resume);
}
