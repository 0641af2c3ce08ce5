import { checkWhole } from '../arguments.ts';
import type { RunResult, Store } from '../backend/backend.ts';
import { type DeviceName, openStore } from '../backend/device.ts';
import { Pace } from '../backend/pace.ts';
import type { AnyDataset } from '../data/dataset.ts';
import { FlatminError } from '../errors.ts';
import type { Moment } from '../graph/moment.ts';
import { checkPrecision, type Precision } from '../graph/precision.ts';
import type { TensorType } from '../graph/types.ts';
import { crossEntropy } from '../nn/cross-entropy.ts';
import { describeModel, type Layer, type ParameterSpec, tensorKeys } from '../nn/layer.ts';
import { type Loss, metricsOf } from '../nn/loss.ts';
import { checkMetrics, type Metric } from '../nn/metric.ts';
import type { NonFinitePolicy } from '../ops/status.ts';
import { permutation, STREAM } from '../random/philox.ts';
import type { Optimizer } from '../step/bound.ts';
import { OptimizerStep, type StepResult, stepKeys } from '../step/optimizer-step.ts';
import {
  checkFit,
  readState,
  type StateDict,
  type StateKeys,
  writeState,
} from '../step/state-dict.ts';
import { type Batch, batches, shapeOf } from './batches.ts';
import { Deliveries } from './deliveries.ts';
import { Divergence } from './divergence.ts';
import { type Evaluation, Evaluator } from './evaluate.ts';
import { describeData, describeOps, fingerprintOf } from './fingerprint.ts';
import { freeze, type NamePattern } from './frozen.ts';
import type { InputForm } from './input-form.ts';
import { declareParameters } from './parameters.ts';
import type { ModelOnStore } from './predictor.ts';
import { DatasetSource } from './source.ts';
import { Turns } from './turns.ts';

/** What `fit` trains on and evaluates with. */
export interface TrainingData<D extends AnyDataset = AnyDataset> {
  /** Examples to train on. */
  readonly train: D;
  /** Examples to evaluate on. Default none. */
  readonly test?: D;
}

export interface TrainingOptions {
  /** How parameters are stepped, as `adamw({ lr: 1e-3 })`. */
  readonly optimizer: Optimizer;
  /** Default `crossEntropy()`. */
  readonly loss?: Loss;
  /** What evaluation tells beside the loss and its own metrics, accuracy among them. Default none. */
  readonly metrics?: readonly Metric[];
  /** Examples a step; the last batch of an epoch may be smaller. Default 32. */
  readonly batch?: number;
  /**
   * Micro-batches that a step's batch is cut into, to save memory: their gradients are averaged before the update, by the
   * labels that count. Equal to 1 but for rounding, other dropout masks, and the labels that K-FAC draws: rows at the same
   * place of two micro-batches draw alike. Default 1.
   */
  readonly accumulate?: number;
  /** Decides initialisation, shuffling, dropout and drawn labels. Default 0. */
  readonly seed?: number;
  /** Where the work is done: `auto` is the best kernels there are on the CPU. Default `auto`. */
  readonly device?: DeviceName;
  /** CPU threads, default every core. */
  readonly threads?: number;
  /**
   * Parameters that stay as they are to the bit, by their names, in which `*` stands for any text: `['embedding.*', /conv1/]`.
   * Nothing is computed or kept for them alone: no gradient, no state of the optimizer. Running statistics stay too where
   * a pattern names all of a layer's. `FLATMIN_ARGUMENT` for a pattern without a name. Default none.
   */
  readonly frozen?: readonly NamePattern[];
  /** Default `throw`. */
  readonly onNonFinite?: NonFinitePolicy;
  /**
   * What operands of the model's products and convolutions are rounded to while it trains: `tf32` and `bf16` let CUDA
   * devices with tensor cores multiply faster, `bf16` CPUs with AVX512-BF16, where 3×3 convolutions round the operands of
   * Winograd's products. Elsewhere rounding is all there is to it, for comparison. `sam`, whose ε̂ it would swallow,
   * refuses it. Roots, statistics, updates and evaluation are float32. Default `float32`.
   */
  readonly precision?: Precision;
}

/** Names of the options. */
export const TRAINING_OPTIONS: Readonly<Record<keyof TrainingOptions, true>> = {
  optimizer: true,
  loss: true,
  metrics: true,
  batch: true,
  accumulate: true,
  seed: true,
  device: true,
  threads: true,
  frozen: true,
  onNonFinite: true,
  precision: true,
};

/** How far a training has come; everything that is not a tensor of the store. */
export interface Position {
  /** Optimizer steps taken. */
  step: number;
  /** Whole epochs finished. */
  epoch: number;
  /** Rows of the current epoch already seen. */
  row: number;
  /** Σ loss × weight over the steps of the current epoch that were taken. */
  lossSum: number;
  /** Σ weight over these steps: rows, or what counts of them. */
  counted: number;
  /** Seconds spent training in the current epoch. */
  seconds: number;
}

const START: Position = { step: 0, epoch: 0, row: 0, lossSum: 0, counted: 0, seconds: 0 };

/** What `onStep` is told of a step. */
export interface StepReport extends StepResult {
  /** From 1. */
  readonly step: number;
  readonly epoch: number;
  /** Rows of the epoch seen, this step included. */
  readonly row: number;
}

export interface EpochOptions {
  readonly signal?: AbortSignal;
  /** Told of every step in order. While a promise of it is pending no steps are begun; what it throws ends the epoch. */
  readonly onStep?: (report: StepReport) => unknown;
  /** After every so many steps of the whole training `act` is awaited before the next; what it throws ends the epoch. */
  readonly every?: { readonly steps: number; readonly act: () => Promise<void> };
}

/** A model on a device with its data, its optimizer's state and its place in the training. */
export class Training implements ModelOnStore {
  readonly store: Store;
  readonly params: readonly ParameterSpec[];
  readonly buffers: readonly ParameterSpec[];
  readonly model: Layer;
  readonly loss: Loss;
  /** Names of what evaluation tells beside the loss. */
  readonly metrics: readonly string[];
  readonly seed: number;
  /** Rows of a step; the last of an epoch may have fewer. */
  readonly batch: number;
  readonly form: InputForm;
  /** Type of one batch of inputs. */
  readonly input: TensorType;
  /** The compiled steps by the shape of their batch: the full one first, those of shorter sequences as they come up. */
  readonly steps: ReadonlyMap<string, OptimizerStep>;
  readonly #compile: (batch: Omit<Batch, 'offset'>) => OptimizerStep;
  /** Of a batch of so many rows. */
  readonly #parts: (rows: number) => Batch[];
  readonly turns = new Turns();
  position: Position = { ...START };
  readonly divergence = new Divergence();
  readonly #train: DatasetSource;
  readonly #evaluator: Evaluator | undefined;
  readonly #pace = new Pace();
  readonly #describe: () => object;
  #configuration: object | undefined;

  constructor(model: Layer, data: TrainingData, options: TrainingOptions) {
    this.batch = checkWhole('batch', options.batch ?? 32, 1);
    const accumulate = checkWhole('accumulate', options.accumulate ?? 1, 1);
    const precision = checkPrecision(options.precision);
    this.seed = checkWhole('seed', options.seed ?? 0, 0);
    if (data.train.count === 0) {
      throw new FlatminError('FLATMIN_DATA', 'The training data has no examples');
    }
    this.model = model;
    this.loss = options.loss ?? crossEntropy();
    const metrics = [...metricsOf(this.loss), ...(options.metrics ?? [])];
    checkMetrics(metrics);
    this.metrics = metrics.map(({ name }) => name);
    this.store = openStore(options);
    this.#train = new DatasetSource(this.store, 'train', data.train, this.loss);
    this.form = this.#train.form;
    this.input = this.#train.batchType(Math.min(this.batch, data.train.count));
    const described = describeModel(model, this.input);
    this.params = described.params;
    this.buffers = described.buffers;
    const { trained, frozen } = freeze(described, options.frozen);
    declareParameters(this.store, described, this.seed);
    this.#parts = (rows) => batches(rows, Math.ceil(this.batch / accumulate));
    const steps = new Map<string, OptimizerStep>();
    this.#compile = ({ rows, steps: length }) => {
      const step = new OptimizerStep(this.store, {
        model,
        params: trained,
        frozen,
        loss: this.loss,
        optimizer: options.optimizer,
        onNonFinite: options.onNonFinite ?? 'throw',
        precision,
        parts: this.#parts(rows).map((part) => ({
          rows: part.rows,
          trace: (graph) => this.#train.trace(graph, { ...part, steps: length }),
        })),
      });
      steps.set(shapeOf({ rows, steps: length }), step);
      return step;
    };
    this.steps = steps;
    for (const { rows } of batches(data.train.count, this.batch)) {
      const whole = { rows, steps: this.#train.lengths?.longest };
      if (steps.has(shapeOf(whole))) continue;
      this.#train.checkIndices(this.#compile(whole).program.compiled.graph);
    }
    this.#describe = () => ({
      backend: this.store.backend,
      seed: this.seed,
      batch: this.batch,
      accumulate,
      precision,
      loss: this.loss.name,
      optimizer: { name: options.optimizer.name, ...options.optimizer.options },
      ...(frozen.size > 0 && { frozen: [...frozen] }),
      model: describeOps(model, this.loss, (graph) =>
        this.#train.trace(graph, { offset: 0, rows: this.input.shape[0] }),
      ),
      train: describeData(data.train),
      test: data.test && describeData(data.test),
      step: fingerprintOf((steps.values().next().value as OptimizerStep).traced),
    });
    if (data.test !== undefined && data.test.count > 0) {
      const test = new DatasetSource(this.store, 'test', data.test, this.loss);
      this.#evaluator = new Evaluator(this.store, model, { loss: this.loss, metrics }, test);
    }
  }

  /**
   * What a checkpoint must have been written under to be resumed, as the model and data are when it is first asked for;
   * `onNonFinite` may change.
   */
  get configuration(): object {
    this.#configuration ??= this.#describe();
    return this.#configuration;
  }

  get hasTest(): boolean {
    return this.#evaluator !== undefined;
  }

  /** Loss and metrics on the test data; `undefined` without any. */
  evaluate(): Promise<Evaluation | undefined> {
    const evaluator = this.#evaluator;
    if (evaluator === undefined) return Promise.resolve(undefined);
    return this.turns.take(() => evaluator.run(this.#pace));
  }

  /** The model's tensors, optimizer state and the status block: with `position` all that the coming steps depend on. */
  stateDict(): StateDict {
    return readState(this.store, this.#stateKeys());
  }

  /** Puts a state back; `FLATMIN_CHECKPOINT` lists what does not fit. */
  loadStateDict(state: StateDict): void {
    writeState(this.store, this.#stateKeys(), state);
  }

  /** Throws unless these are the model's tensors. */
  checkWeights(state: StateDict): void {
    checkFit(this.store, tensorKeys(this), state);
  }

  /** Puts the model's tensors back, in turn. */
  restore(weights: StateDict): Promise<void> {
    return this.turns.take(async () => {
      writeState(this.store, tensorKeys(this), weights);
    });
  }

  /** Copies of the model's tensors. */
  weights(): StateDict {
    return readState(this.store, tensorKeys(this));
  }

  #stateKeys(): StateKeys {
    return stepKeys(this, this.steps.values());
  }

  /** Rows of one pass over the training data. */
  get rows(): number {
    return this.#train.dataset.count;
  }

  /**
   * Trains to the end of the current epoch, or to where `signal` stops it (then `position.row` > 0).
   * Returns the mean loss of the steps that were taken and the epoch's training seconds, or `undefined` when it was stopped.
   */
  async epoch(options: EpochOptions = {}): Promise<{ loss: number; seconds: number } | undefined> {
    const { position } = this;
    const source = { seed: this.seed, stream: STREAM.shuffle, step: position.epoch };
    const order = permutation(source, this.rows);
    const all = batches(this.rows, this.batch);
    const own = this.#train.lengths?.padded(order, all) ?? all;
    const parts = own.flatMap(({ offset, rows, steps }) =>
      this.#parts(rows).map((part) => ({ ...part, offset: offset + part.offset, steps })),
    );
    this.#train.setOrder(order, parts);
    await this.#run(own.slice(position.row / this.batch), options);
    if (position.row < this.rows) return undefined;
    this.position = { ...START, step: position.step, epoch: position.epoch + 1 };
    return { loss: position.lossSum / position.counted, seconds: position.seconds };
  }

  /** As many batches in one run as are of one shape, fewer where `onStep` or `every` keeps it waiting. */
  async #run(batches: readonly Batch[], { signal, onStep, every }: EpochOptions): Promise<void> {
    let at = 0;
    while (at < batches.length && !signal?.aborted) {
      const pause = new AbortController();
      const stop = () => pause.abort();
      const told = onStep && new Deliveries(onStep, stop);
      const before = this.position.step;
      signal?.addEventListener('abort', stop);
      try {
        const until = every && every.steps - (before % every.steps);
        await this.#steps(alike(batches, at, until), pause.signal, told);
      } finally {
        signal?.removeEventListener('abort', stop);
        await told?.settled();
      }
      const { step } = this.position;
      at += step - before;
      if (every && step > before && step % every.steps === 0) await every.act();
    }
  }

  /** As many of them as are taken before `signal` stops the run. */
  async #steps(
    part: readonly Batch[],
    signal: AbortSignal,
    told?: Deliveries<StepReport>,
  ): Promise<void> {
    const { position } = this;
    const [{ rows }] = part;
    const first = { ...position };
    const step = this.steps.get(shapeOf(part[0])) ?? this.#compile(part[0]);
    const account = (result: RunResult) => {
      const seen = position.step - first.step;
      for (const report of step.results(result, first.step + 1, seen)) {
        position.step += 1;
        position.row += rows;
        if (report.skipped !== 1) {
          position.lossSum += report.loss * report.weight;
          position.counted += report.weight;
          if (report.weight > 0) this.divergence.step(report.loss, rows);
        }
        const { step, epoch, row } = position;
        told?.push({ step, epoch, row, ...report });
      }
    };
    const moments: Moment[] = part.map(({ offset }, i) => ({
      step: first.step + i + 1,
      epoch: first.epoch,
      seed: this.seed,
      offset,
    }));
    const started = performance.now();
    // Steps are told of while they are taken, and a callback may have them stop.
    const run = told ? { signal, onProgress: account } : { signal, pace: this.#pace };
    try {
      account(await this.turns.take(() => step.run(moments, run)));
    } finally {
      position.seconds += (performance.now() - started) / 1000;
    }
  }
}

/** Those from one on that are of its shape, `most` at most. */
function alike(
  batches: readonly Batch[],
  begin: number,
  most = Number.POSITIVE_INFINITY,
): readonly Batch[] {
  const shape = shapeOf(batches[begin]);
  let end = begin + 1;
  while (end < batches.length && end - begin < most && shapeOf(batches[end]) === shape) end += 1;
  return batches.slice(begin, end);
}
