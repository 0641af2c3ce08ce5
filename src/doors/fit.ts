import { checkBoolean, checkNames, checkObject, checkWhole, wrongArgument } from '../arguments.ts';
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
import {
  type Best,
  checkEarlyStopping,
  EarlyStopping,
  type EarlyStoppingOptions,
} from '../train/early-stopping.ts';
import type { Evaluation } from '../train/evaluate.ts';
import { Halt, type Stopped } from '../train/halt.ts';
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

/** What a callback may do beside looking; not enumerable, so that a copy of a report is the report alone. */
export interface InTraining {
  /** As it is now: to predict, evaluate, save. */
  readonly model: TrainedModel;
  /** Ends the training, with the status `early`, before its next step. */
  stop(): void;
}

/**
 * Options of a training: its length in epochs, the optimizer, the loss, when to evaluate and to stop, callbacks,
 * checkpoints and device. An unknown option is `FLATMIN_ARGUMENT`.
 */
export interface FitOptions extends TrainingOptions {
  /** Passes over the training data, a whole number. */
  readonly epochs: number;
  /** Called before the first step with what the checkpoint brought back: finished epochs, and where to go on. Default none. */
  readonly onStart?: (
    history: readonly EpochMetrics[],
    position: Readonly<Position>,
    evaluations: readonly StepEvaluation[],
  ) => unknown;
  /**
   * Called in order for every step, some 50 ms at most after it was taken. While a promise of it is pending no further
   * report is given and training pauses. Default none.
   */
  readonly onStep?: (report: StepReport) => unknown;
  /** When `data.test` is evaluated: after so many epochs, so many steps, or both; after the last epoch in any case. Default every epoch. */
  readonly evaluateEvery?: Period;
  /** Called after every evaluation of an `evaluateEvery` in steps, with the model in hand. Default none. */
  readonly onEvaluation?: (report: StepEvaluation & InTraining) => unknown;
  /** Called after every epoch, and its evaluation where one is due, with the model in hand. Default none. */
  readonly onEpoch?: (report: EpochMetrics & InTraining) => unknown;
  /** Ends the training when a number no longer gets better. Its best value is part of checkpoints. Default: never. */
  readonly earlyStopping?: EarlyStoppingOptions;
  /**
   * Ends the training with the status `diverged` when the loss, though finite, has grown for good. Looked at after every
   * epoch, twenty steps after the last look or later: the median loss of the last ten steps is more than so many times that
   * of the first steps (as many as have 32 examples), and has not halved since the look before, at the first since the ten
   * steps before. Default 20, and false, for never, where training begins `from` weights, whose loss may be small.
   */
  readonly divergence?: number | false;
  /** Stops the training between two steps, with the status `aborted`. Default none. */
  readonly signal?: AbortSignal;
  /** Path of the file for checkpoints, written after every epoch and when stopped. Default: none are written. */
  readonly checkpoint?: string;
  /** Go on from `checkpoint` where it exists. Default false. */
  readonly resume?: boolean;
  /**
   * Weights to begin with instead of fresh ones: the path of a safetensors file, or a model's `stateDict()`, by PyTorch's
   * names too. `FLATMIN_CHECKPOINT` lists what does not fit. A checkpoint that is resumed has its own. Default fresh
   * weights.
   */
  readonly from?: string | StateDict;
}

/** What `fit` resolves to: the trained model and its history. */
export interface Fitted {
  readonly model: TrainedModel;
  readonly history: readonly EpochMetrics[];
  /** Those after so many steps, where `evaluateEvery` counts in steps. */
  readonly evaluations: readonly StepEvaluation[];
  /** Why training ended before the last epoch; `undefined` where it did not. `diverged` may be found after the last. */
  readonly stopped: Stopped | undefined;
  /** Of `earlyStopping`: the best value, and when it was found. */
  readonly best: Best | undefined;
}

/**
 * Trains a model: `epochs` passes over `data.train` in batches, an evaluation on `data.test` after each, or by `evaluateEvery`.
 * Equal options and seed give equal results to the bit on one backend, whatever the number of threads.
 * A training that is stopped, by whatever, gives what was reached, and `stopped` says why. Promises of callbacks are
 * awaited; what a callback throws or its promise is rejected with stops the training, and `fit` rejects with it.
 */
export async function fit(model: Layer, data: TrainingData, options: FitOptions): Promise<Fitted> {
  checkOptions(options);
  checkForm(data);
  const halt = new Halt(options.signal);
  try {
    return await train(new Training(model, data, options), options, halt);
  } finally {
    halt.release();
  }
}

async function train(training: Training, options: FitOptions, halt: Halt): Promise<Fitted> {
  const { epochs, checkpoint, from, divergence = from === undefined && 20 } = options;
  const model = new TrainedModel(training);
  if (from !== undefined) begin(model, from);
  const early =
    options.earlyStopping &&
    new EarlyStopping(options.earlyStopping, training.hasTest ? training.metrics : undefined);
  const told: Told =
    options.resume && checkpoint !== undefined
      ? loadCheckpoint(checkpoint, training)
      : { history: [], evaluations: [] };
  early?.resume(told.kept);
  const { history, evaluations } = told;
  const { steps, epochs: epochsBetween = steps === undefined ? 1 : Number.POSITIVE_INFINITY } =
    options.evaluateEvery ?? {};
  const save = () => {
    if (checkpoint === undefined) return;
    saveCheckpoint(checkpoint, training, { history, evaluations, kept: early?.kept });
  };
  const inHand = <T extends object>(report: T): T & InTraining =>
    Object.defineProperties({ ...report } as T & InTraining, {
      model: { value: model },
      stop: { value: () => halt.stop('early') },
    });
  const look = (report: Parameters<EarlyStopping['look']>[0], epoch: number) => {
    early?.look(report, { step: training.position.step, epoch }, () => training.weights());
  };
  const stopEarly = () => {
    if (early?.exhausted) halt.stop('early');
  };
  const evaluate = async () => {
    const test = judgement(await training.evaluate());
    if (test === undefined) return;
    const { step, epoch } = training.position;
    const seconds = history.reduce(
      (sum, { epochSeconds }) => sum + epochSeconds,
      training.position.seconds,
    );
    const evaluation = { step, epoch: epoch + 1, seconds, ...test };
    evaluations.push(evaluation);
    look(evaluation, epoch + 1);
    await options.onEvaluation?.(inHand(evaluation));
    stopEarly();
  };
  // Looked at before the caller can change the data.
  if (checkpoint !== undefined) void training.configuration;
  await options.onStart?.(history, training.position, evaluations);
  stopEarly();
  while (training.position.epoch < epochs && halt.reason === undefined) {
    const done = await training.epoch({
      signal: halt.signal,
      onStep: options.onStep,
      every: steps === undefined ? undefined : { steps, act: evaluate },
    });
    if (done === undefined) {
      save();
      break;
    }
    const { epoch } = training.position;
    const diverged = divergence !== false && training.divergence.look(divergence);
    if (diverged) halt.stop('diverged');
    const due = epoch % epochsBetween === 0 || epoch === epochs || diverged;
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
    look(metrics, epoch);
    save();
    await options.onEpoch?.(inHand(metrics));
    stopEarly();
  }
  const { reason } = halt;
  const ended = training.position.epoch >= epochs && reason !== 'diverged';
  const stopped = ended ? undefined : reason;
  const { best, weights } = early?.kept ?? {};
  if (weights !== undefined && stopped !== 'aborted') await training.restore(weights);
  return { model, history, evaluations, stopped, best };
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
    earlyStopping: true,
    divergence: true,
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
  if (options.earlyStopping !== undefined) checkEarlyStopping(options.earlyStopping);
  const { divergence = false } = options;
  if (divergence !== false && !(typeof divergence === 'number' && divergence > 1)) {
    throw wrongArgument('divergence', 'a number above 1, or false', divergence);
  }
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
  const given = [epochs, steps].filter((count) => count !== undefined);
  if (given.length === 0)
    throw wrongArgument('evaluateEvery', '{ epochs }, { steps } or both', every);
  for (const count of given) checkWhole('evaluateEvery', count, 1);
}
