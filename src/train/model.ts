import { inspect } from 'node:util';
import { checkNames, checkWhole } from '../arguments.ts';
import type { AnyDataset } from '../data/dataset.ts';
import { FlatminError } from '../errors.ts';
import { sizeOf } from '../graph/types.ts';
import { parameterKey, tensorKeys } from '../nn/layer.ts';
import { type Loss, metricsOf } from '../nn/loss.ts';
import { checkMetrics, type Metric } from '../nn/metric.ts';
import { permutation, STREAM } from '../random/philox.ts';
import { counted } from '../shown.ts';
import {
  checkState,
  type Loaded,
  type LoadOptions,
  readState,
  type StateDict,
  writeState,
} from '../step/state-dict.ts';
import { checkCriteria, checkExamples } from './check-form.ts';
import { Curvature } from './curvature.ts';
import { CurvatureProducts } from './curvature-products.ts';
import type { Evaluation } from './evaluate.ts';
import { Examination } from './examination.ts';
import { HandedData } from './handed.ts';
import { checkSaving, type Metadata, type SaveOptions, writeModel } from './model-file.ts';
import { type Inputs, type ModelOnStore, Predictor, type Tensor } from './predictor.ts';
import { fromPyTorch } from './pytorch-names.ts';
import { checkDataset } from './source.ts';

/** Options of `model.evaluate`: the loss and the metrics that it judges by. An unknown option is `FLATMIN_ARGUMENT`. */
export interface EvaluateOptions {
  /** Default that of the training; of a loaded model the one given to `loadModel`. */
  readonly loss?: Loss;
  /** Beside the loss's own, accuracy among them. Default none. */
  readonly metrics?: readonly Metric[];
}

/** Of what a curvature is. */
export interface CurvatureOptions {
  /** Default that of the training; of a loaded model the one given to `loadModel`. */
  readonly loss?: Loss;
  /** How many examples of the dataset are looked at. Default all. */
  readonly rows?: number;
  /** Decides which. Default 0. */
  readonly seed?: number;
}

/** What a dataset was last evaluated with, by which loss and metrics. */
interface Examined {
  readonly by: readonly (Loss | Metric)[];
  readonly examination: Examination;
}

/** A model in training, after it, or loaded from a file. */
export class TrainedModel {
  readonly #on: ModelOnStore;
  readonly #predictor: Predictor;
  /** By their datasets, which stay as they were when they were first evaluated. */
  readonly #examinations = new WeakMap<AnyDataset, Examined>();
  /** Texts that were saved with the model, and are again. */
  readonly metadata: Metadata;

  constructor(on: ModelOnStore, metadata: Metadata = {}) {
    this.#on = on;
    this.#predictor = new Predictor(on);
    this.metadata = metadata;
  }

  [inspect.custom](): string {
    const { params, form } = this.#on;
    const numbers = params.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const list = params.map(({ name, shape }) => `  ${name} [${shape.join(', ')}]`);
    return `TrainedModel of ${counted(numbers, 'parameter')}, for inputs ${form.dtype} [${form.shape.join(', ')}] {\n${list.join('\n')}\n}`;
  }

  /** Copies of the trained tensors by name. */
  parameters(): Record<string, Tensor> {
    const { params, store, turns } = this.#on;
    turns.expectIdle();
    return Object.fromEntries(
      params.map(({ name, shape }) => [
        name,
        { data: store.read(parameterKey(name)) as Float32Array, shape },
      ]),
    );
  }

  /** The same as state, with tensors that are not trained as running statistics, for `loadStateDict` of a model of the same layers. */
  stateDict(): StateDict {
    this.#on.turns.expectIdle();
    return readState(this.#on.store, tensorKeys(this.#on));
  }

  /**
   * Takes over a model's tensors, under PyTorch's names too. `FLATMIN_CHECKPOINT` lists those missing, unexpected or of
   * another shape.
   */
  loadStateDict(state: StateDict, options: LoadOptions = {}): Loaded {
    this.#on.turns.expectIdle();
    checkState(state, options);
    const keys = tensorKeys(this.#on);
    return writeState(this.#on.store, keys, fromPyTorch(state, keys.keys()), options);
  }

  /**
   * Outputs for rows of inputs, as many as there are, [rows, …]. Inputs are as in the training data and become what the
   * network sees as there: bytes are normalised. Where the data are bytes, a Float32Array holds what the network sees.
   * Tokens stand in an Int32Array. Rows of another shape, such as longer sentences or larger images, are
   * `{ data, shape: [rows, …] }`; `FLATMIN_SHAPE` where the model does not take them. Rows are worked on 256 at a time, so a
   * layer of one's own must not mix them in evaluation.
   */
  predict(inputs: Inputs): Tensor {
    const given = this.#predictor.check(inputs);
    this.#on.turns.expectIdle();
    return this.#predictor.run(given);
  }

  /**
   * The same off the main thread, to the bit: inputs are copied at the call. Calls take turns, with `async` steps too;
   * until they have ended whatever is not asynchronous throws `FLATMIN_BUSY`. On the JavaScript backend the work is done
   * on the main thread, after the call returns.
   */
  async predictAsync(inputs: Inputs): Promise<Tensor> {
    const given = this.#predictor.check(inputs);
    const own = { ...given, data: given.data.slice() };
    return this.#on.turns.take(() => this.#predictor.runAsync(own));
  }

  /**
   * Loss and metrics of a dataset, in turns as `predictAsync`. Its arrays must stay as they are while the model lasts, and
   * its inputs are normalised as it says, or else as the training data's. `FLATMIN_DATA` where it has no examples or does
   * not fit the loss.
   */
  async evaluate(dataset: AnyDataset, options: EvaluateOptions = {}): Promise<Evaluation> {
    checkNames<EvaluateOptions>('evaluate', options, { loss: true, metrics: true });
    checkCriteria(options);
    checkExamples('evaluate', dataset);
    const { loss = this.#on.loss, metrics: others = [] } = options;
    checkDataset('evaluate', dataset, loss);
    if (dataset.count === 0) {
      throw new FlatminError('FLATMIN_DATA', 'evaluate data: there are no examples');
    }
    const metrics = [...metricsOf(loss), ...others];
    checkMetrics(metrics);
    return this.#on.turns.take(async () => {
      const by = [loss, ...others];
      const known = this.#examinations.get(dataset);
      const same = by.length === known?.by.length && by.every((one, i) => one === known.by[i]);
      const examination = same
        ? known.examination
        : new Examination(this.#on, dataset, { loss, metrics });
      this.#examinations.set(dataset, { by, examination });
      return examination.run();
    });
  }

  /**
   * The curvature of the mean loss over a dataset, or over `rows` of it that are drawn by `seed`, at the parameters that the
   * model has when it is asked for; the model is in evaluation: batch norm by its running statistics, no dropout. Its arrays
   * must stay as they are. `FLATMIN_DATA` and `FLATMIN_ARGUMENT` as `evaluate`; an op whose gradient cannot be
   * differentiated, as attention's, is refused by the products with the Hessian alone.
   */
  curvature(dataset: AnyDataset, options: CurvatureOptions = {}): Curvature {
    checkNames<CurvatureOptions>('curvature', options, { loss: true, rows: true, seed: true });
    checkCriteria(options);
    checkExamples('curvature', dataset);
    const { loss = this.#on.loss, rows = dataset.count, seed = 0 } = options;
    checkDataset('curvature', dataset, loss);
    checkWhole('rows of curvature', rows, 1);
    checkWhole('seed', seed, 0);
    const { count } = dataset;
    if (rows > count) {
      throw new FlatminError(
        'FLATMIN_DATA',
        `curvature data: ${rows} rows were asked for, and there are ${count}`,
      );
    }
    const drawn =
      rows === count
        ? undefined
        : permutation({ seed, stream: STREAM.probes, step: 0 }, count).subarray(0, rows);
    const data = new HandedData(this.#on, dataset, drawn);
    return new Curvature(new CurvatureProducts(this.#on, data, loss), this.#on);
  }

  /**
   * Writes the model as safetensors: its tensors by name, and in the metadata what its inputs are. `loadModel` reads it.
   * Equal runs write equal files.
   */
  save(path: string, options: SaveOptions = {}): void {
    checkSaving(path, options);
    const metadata = options.metadata ?? this.metadata;
    writeModel(path, this.stateDict(), this.#on.form, { ...options, metadata });
  }
}
