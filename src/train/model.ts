import { parameterKey } from '../nn/layer.ts';
import {
  type Loaded,
  type LoadOptions,
  readState,
  type StateDict,
  type StateKeys,
  writeState,
} from '../step/state-dict.ts';
import type { ModelOnStore, Tensor } from './predictor.ts';
import { Predictor } from './predictor.ts';
import { writeSafetensors } from './safetensors.ts';

/** A model after training. */
export class TrainedModel {
  readonly #training: ModelOnStore;
  readonly #predictor: Predictor;

  constructor(training: ModelOnStore) {
    this.#training = training;
    this.#predictor = new Predictor(training);
  }

  /** Copies of the trained tensors by name. */
  parameters(): Record<string, Tensor> {
    const { params, store, turns } = this.#training;
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
    this.#training.turns.expectIdle();
    return readState(this.#training.store, this.#keys());
  }

  /** Takes over a model's tensors; `FLATMIN_CHECKPOINT` lists those missing, unexpected or of another shape. */
  loadStateDict(state: StateDict, options?: LoadOptions): Loaded {
    this.#training.turns.expectIdle();
    return writeState(this.#training.store, this.#keys(), state, options);
  }

  #keys(): StateKeys {
    const { params, buffers } = this.#training;
    return new Map([...params, ...buffers].map(({ name }) => [name, parameterKey(name)]));
  }

  /**
   * Outputs for inputs as the network takes them (normalised, or an Int32Array of tokens): rows of `input.shape` one
   * after the other, as many as there are. Returns [rows, …]. Rows are worked on 256 at a time, so a layer of one's own
   * must not mix them in evaluation.
   */
  predict(inputs: Float32Array | Int32Array): Tensor {
    this.#predictor.check(inputs);
    this.#training.turns.expectIdle();
    return this.#predictor.run(inputs);
  }

  /**
   * The same off the main thread, to the bit: inputs are copied at the call. Calls take turns, with `async` steps too;
   * until they have ended whatever is not asynchronous throws `FLATMIN_BUSY`. On the JavaScript backend the work is done
   * on the main thread, after the call returns.
   */
  async predictAsync(inputs: Float32Array | Int32Array): Promise<Tensor> {
    this.#predictor.check(inputs);
    const own = inputs.slice();
    return this.#training.turns.take(() => this.#predictor.runAsync(own));
  }

  /** Writes the model's tensors alone as safetensors; equal runs write equal files. */
  save(path: string): void {
    const tensors = Object.fromEntries(
      Object.entries(this.stateDict()).map(([name, tensor]) => [
        name,
        { dtype: 'f32' as const, ...tensor },
      ]),
    );
    writeSafetensors(path, { tensors, metadata: { format: 'flatmin model 1' } });
  }
}
