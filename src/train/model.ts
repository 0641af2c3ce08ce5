import type { Store } from '../backend/backend.ts';
import { FlatminError } from '../errors.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import { type Shape, sizeOf, type TensorType } from '../graph/types.ts';
import { type Layer, type ParameterSpec, parameterKey, Scope } from '../nn/layer.ts';
import { assign } from '../ops/assign.ts';
import { writeSafetensors } from './safetensors.ts';
import {
  type Loaded,
  type LoadOptions,
  readState,
  type StateDict,
  type StateKeys,
  writeState,
} from './state-dict.ts';

export interface Tensor {
  readonly data: Float32Array;
  readonly shape: Shape;
}

/** A model whose tensors lie in a store. */
export interface ModelOnStore {
  readonly model: Layer;
  readonly params: readonly ParameterSpec[];
  /** Tensors that are not trained. */
  readonly buffers: readonly ParameterSpec[];
  readonly store: Store;
  /** Type of a batch of inputs. */
  readonly input: TensorType;
}

/** A model after training. */
export class TrainedModel {
  readonly #training: ModelOnStore;
  readonly #programs = new Map<number, { program: Program; output: string; shape: Shape }>();

  constructor(training: ModelOnStore) {
    this.#training = training;
  }

  /** Copies of the trained tensors by name. */
  parameters(): Record<string, Tensor> {
    const { params, store } = this.#training;
    return Object.fromEntries(
      params.map(({ name, shape }) => [
        name,
        { data: store.read(parameterKey(name)) as Float32Array, shape },
      ]),
    );
  }

  /** The same as state, with tensors that are not trained as running statistics, for `loadStateDict` of a model of the same layers. */
  stateDict(): StateDict {
    return readState(this.#training.store, this.#keys());
  }

  /** Takes over a model's tensors; `FLATMIN_CHECKPOINT` lists those missing, unexpected or of another shape. */
  loadStateDict(state: StateDict, options?: LoadOptions): Loaded {
    return writeState(this.#training.store, this.#keys(), state, options);
  }

  #keys(): StateKeys {
    const { params, buffers } = this.#training;
    return new Map([...params, ...buffers].map(({ name }) => [name, parameterKey(name)]));
  }

  /**
   * Outputs for inputs as the network takes them (normalised, or an Int32Array of tokens): rows of `input.shape` one
   * after the other. Returns [rows, …].
   */
  predict(inputs: Float32Array | Int32Array): Tensor {
    const { input, store } = this.#training;
    if (inputs instanceof Int32Array !== (input.dtype === 'i32')) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `predict expects ${input.dtype === 'i32' ? 'tokens as an Int32Array' : 'a Float32Array'}`,
      );
    }
    const width = sizeOf(input.shape.slice(1));
    const rows = inputs.length / width;
    if (!Number.isInteger(rows)) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `predict expects rows of [${input.shape.slice(1).join(', ')}], ${width} numbers each, got ${inputs.length} numbers`,
      );
    }
    const { program, output, shape } = this.#program(rows);
    store.write(`predict/${rows}/inputs`, inputs);
    program.runSync([{ step: 1, epoch: 0, seed: 0, offset: 0 }]);
    return { data: store.read(output) as Float32Array, shape };
  }

  #program(rows: number) {
    const known = this.#programs.get(rows);
    if (known !== undefined) return known;
    const { input, store, model } = this.#training;
    const graph = new Graph();
    const shape = [rows, ...input.shape.slice(1)];
    const x = graph.stored(`predict/${rows}/inputs`, { dtype: input.dtype, shape });
    const y = model(x, new Scope(graph, false));
    const output = `predict/${rows}/outputs`;
    assign([graph.stored(output, y.type)], [y]);
    const made = { program: new Program(compile(graph), store), output, shape: y.shape };
    this.#programs.set(rows, made);
    return made;
  }

  /** Writes the model's tensors alone as safetensors; equal runs write equal files. */
  save(path: string): void {
    const tensors = Object.fromEntries(
      Object.entries(this.stateDict()).map(([name, tensor]) => [
        name,
        { dtype: 'f32' as const, ...tensor },
      ]),
    );
    writeSafetensors(path, { tensors, metadata: {} });
  }
}
