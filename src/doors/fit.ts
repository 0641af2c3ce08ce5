import { checkBoolean, checkNames, checkObject, checkWhole, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Layer } from '../nn/layer.ts';
import type { Period } from '../optim/schedule.ts';
import type { StateDict } from '../step/state-dict.ts';
import { checkForm, checkParts } from '../train/check-form.ts';
import {
  type EpochMetrics,
  loadCheckpoint,
  type StepEvaluation,
  saveCheckpoint,
  type Told,
} from '../train/checkpoint.ts';
import type { Evaluation } from '../train/evaluate.ts';
import { TrainedModel } from '../train/model.ts';
import { loadInto, readModel } from '../train/model-file.ts';
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
  readonly onStart?: (
    history: readonly EpochMetrics[],
    position: Readonly<Position>,
    evaluations: readonly StepEvaluation[],
  ) => unknown;
  /**
   * Called in order for every step, some 50 ms at most after it was taken. While a promise of it is pending no further
   * report is given and training pauses.
   */
  readonly onStep?: (report: StepReport) => unknown;
  /** When `data.test` is evaluated: after so many epochs, or so many steps; after the last epoch in any case. Default every epoch. */
  readonly evaluateEvery?: Period;
  /** Called after every evaluation of an `evaluateEvery` in steps. */
  readonly onEvaluation?: (evaluation: StepEvaluation) => unknown;
  /** Called after every epoch, and its evaluation where one is due. */
  readonly onEpoch?: (metrics: EpochMetrics) => unknown;
  /** Stops between two steps; `fit` then throws `FLATMIN_ABORTED`. */
  readonly signal?: AbortSignal;
  /** File for checkpoints: written after every epoch and when stopped. */
  readonly checkpoint?: string;
  /** Go on from `checkpoint` where it exists. Default false. */
  readonly resume?: boolean;
  /**
   * Weights to begin with instead of fresh ones: the path of a safetensors file, or a model's `stateDict()`, by PyTorch's
   * names too. `FLATMIN_CHECKPOINT` lists what does not fit. A checkpoint that is resumed has its own.
   */
  readonly from?: string | StateDict;
}

export interface Fitted {
  readonly model: TrainedModel;
  readonly history: readonly EpochMetrics[];
  /** Those after so many steps, where `evaluateEvery` counts in steps. */
  readonly evaluations: readonly StepEvaluation[];
}

/**
 * Trains a model: `epochs` passes over `data.train` in batches, an evaluation on `data.test` after each, or by `evaluateEvery`.
 * Equal options and seed give equal results to the bit on one backend, whatever the number of threads.
 * Promises of callbacks are awaited; what a callback throws or its promise is rejected with stops the training, and `fit`
 * rejects with it.
 */
export async function fit(model: Layer, data: TrainingData, options: FitOptions): Promise<Fitted> {
  checkOptions(options);
  checkForm(data);
  const { epochs, signal, checkpoint } = options;
  const training = new Training(model, data, options);
  const trained = new TrainedModel(training);
  if (options.from !== undefined) begin(trained, options.from);
  const told: Told =
    options.resume && checkpoint !== undefined
      ? loadCheckpoint(checkpoint, training)
      : { history: [], evaluations: [] };
  const { history, evaluations } = told;
  const { steps, epochs: epochsBetween = steps === undefined ? 1 : Number.POSITIVE_INFINITY } =
    options.evaluateEvery ?? {};
  const save = () => {
    if (checkpoint !== undefined) saveCheckpoint(checkpoint, training, told);
  };
  const evaluate = async () => {
    const test = judgement(await training.evaluate());
    if (test === undefined) return;
    const { step, epoch } = training.position;
    const evaluation = { step, epoch: epoch + 1, ...test };
    evaluations.push(evaluation);
    await options.onEvaluation?.(evaluation);
  };
  // Looked at before the caller can change the data.
  if (checkpoint !== undefined) void training.configuration;
  await options.onStart?.(history, training.position, evaluations);
  while (training.position.epoch < epochs) {
    const done = await training.epoch({
      signal,
      onStep: options.onStep,
      every: steps === undefined ? undefined : { steps, act: evaluate },
    });
    if (done === undefined) {
      save();
      const { epoch, row } = training.position;
      throw new FlatminError(
        'FLATMIN_ABORTED',
        `Training was stopped in epoch ${epoch + 1} after ${row} of ${training.rows} rows`,
      );
    }
    const { epoch } = training.position;
    const due = epoch % epochsBetween === 0 || epoch === epochs;
    const test = due ? judgement(await training.evaluate()) : undefined;
    const { metrics: judged, ...losses } = test ?? {};
    const metrics: EpochMetrics = {
      epoch,
      trainLoss: done.loss,
      ...losses,
      epochSeconds: done.seconds,
      ...(judged && { metrics: judged }),
    };
    history.push(metrics);
    save();
    await options.onEpoch?.(metrics);
  }
  return { model: trained, history, evaluations };
}

function begin(model: TrainedModel, from: string | StateDict): void {
  if (typeof from === 'string') loadInto(model, from, readModel(from).state);
  else loadInto(model, 'from', from);
}

/** An evaluation as it is told; nothing without test data. */
const judgement = (test: Evaluation | undefined) =>
  test && {
    testLoss: test.loss,
    ...(test.metrics.accuracy !== undefined && { testAccuracy: test.metrics.accuracy }),
    metrics: test.metrics,
  };

function checkOptions(options: FitOptions): void {
  checkNames<FitOptions>('fit', options, {
    ...TRAINING_OPTIONS,
    epochs: true,
    onStart: true,
    onStep: true,
    onEpoch: true,
    evaluateEvery: true,
    onEvaluation: true,
    signal: true,
    checkpoint: true,
    resume: true,
    from: true,
  });
  checkParts(options);
  const { epochs, onStart, onStep, onEpoch, onEvaluation, signal, checkpoint, resume, from } =
    options;
  checkWhole('epochs', epochs, 0);
  for (const [name, callback] of Object.entries({ onStart, onStep, onEpoch, onEvaluation })) {
    if (callback === undefined || typeof callback === 'function') continue;
    throw wrongArgument(name, 'a function', callback);
  }
  if (options.evaluateEvery !== undefined) checkCadence(options.evaluateEvery);
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw wrongArgument('signal', 'an AbortSignal', signal);
  }
  if (checkpoint !== undefined && typeof checkpoint !== 'string') {
    throw wrongArgument('checkpoint', 'the path of a file', checkpoint);
  }
  if (resume !== undefined) checkBoolean('resume', resume);
  if (from !== undefined && typeof from !== 'string') checkObject('from', from);
}

function checkCadence(every: Period): void {
  checkNames<Period>('evaluateEvery', every, { epochs: true, steps: true });
  const { epochs, steps } = every;
  if ((epochs === undefined) === (steps === undefined)) {
    throw wrongArgument('evaluateEvery', '{ epochs } or { steps }', every);
  }
  checkWhole('evaluateEvery', epochs ?? steps, 1);
}
