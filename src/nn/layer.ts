import { FlatminError } from '../errors.ts';
import { Graph, type Value } from '../graph/graph.ts';
import type { Shape, TensorType } from '../graph/types.ts';
import type { Init } from './init.ts';

/** A function over traced values; parameters come from the scope. */
export interface Layer {
  (x: Value, scope: Scope): Value;
  /** Shown in error messages, e.g. `linear(84)`. */
  readonly label?: string;
}

export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly init: Init;
}

export const parameterKey = (name: string): string => `param/${name}`;

/** What a layer is traced in: names its parameters, numbers its random streams, tells training from evaluation. */
export class Scope {
  /** Dropout is on, batch norm uses the batch. */
  readonly training: boolean;
  readonly #graph: Graph;
  readonly #path: string;
  readonly #shared: { params: Map<string, ParameterSpec>; streams: number };

  /** The model's own; its random streams are numbered from `firstStream` on. */
  constructor(graph: Graph, training: boolean, firstStream = 0, parent?: Scope, name = '') {
    this.#graph = graph;
    this.training = training;
    this.#path = parent === undefined || parent.#path === '' ? name : `${parent.#path}.${name}`;
    this.#shared =
      parent === undefined ? { params: new Map(), streams: firstStream } : parent.#shared;
  }

  /** A trained tensor of this layer, f32, filled by `init` when training starts. */
  param(name: string, shape: Shape, init: Init): Value {
    const full = this.#path === '' ? name : `${this.#path}.${name}`;
    if (this.#shared.params.has(full)) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `Two parameters are called "${full}"; give their layers names of their own`,
      );
    }
    this.#shared.params.set(full, { name: full, shape, init });
    return this.#graph.stored(parameterKey(full), { dtype: 'f32', shape });
  }

  /** A random stream of this layer's own, the same in every pass over the model. */
  stream(): number {
    return this.#shared.streams++;
  }

  /** The first random stream that no layer has yet. */
  get nextStream(): number {
    return this.#shared.streams;
  }

  /** Traces a layer inside this one. */
  call(name: string, layer: Layer, x: Value): Value {
    const inner = new Scope(this.#graph, this.training, 0, this, name);
    const title = layer.label === undefined ? name : `${name}: ${layer.label}`;
    return this.#graph.inLayer(title, () => layer(x, inner));
  }

  get params(): readonly ParameterSpec[] {
    return [...this.#shared.params.values()];
  }
}

/** Parameters and output type of a model for inputs of one type (with the batch dimension). */
export function describeModel(
  model: Layer,
  input: TensorType,
): { params: readonly ParameterSpec[]; output: TensorType } {
  const graph = new Graph();
  const scope = new Scope(graph, true);
  const output = model(graph.stored('input', input), scope);
  return { params: scope.params, output: output.type };
}
