import { checkObject, checkOneOf, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { Graph, Value } from '../graph/graph.ts';
import type { Shape, TensorType } from '../graph/types.ts';
import { expectDims } from '../ops/define.ts';
import type { Init } from './init.ts';

/** A function over traced values; parameters come from the scope. */
export interface Layer {
  (x: Value, scope: Scope): Value;
  /** Shown in error messages, e.g. `linear(84)`. */
  readonly label?: string;
}

/** A tensor of a model: its name, shape and first values. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly init: Init;
}

export const parameterKey = (name: string): string => `param/${name}`;

/** Names of a model's tensors and their keys in the store. */
export const tensorKeys = ({
  params,
  buffers,
}: Pick<Description, 'params' | 'buffers'>): ReadonlyMap<string, string> =>
  new Map([...params, ...buffers].map(({ name }) => [name, parameterKey(name)]));

/** What a layer wants traced where a step ends, when the status block says whether it was taken. */
export type Afterwards = (status: Value) => void;

interface Shared {
  readonly tensors: Map<string, ParameterSpec & { trained: boolean }>;
  /** Each with the path of its layer. */
  readonly afterwards: { readonly path: string; readonly trace: Afterwards }[];
  readonly calls: Call[];
  streams: number;
  lengths: Value | undefined;
}

/** A layer as it was traced inside another: nodes `from` up to `to` of the graph are its. */
export interface Call {
  readonly name: string;
  readonly layer: string;
  readonly from: number;
  to: number;
  output: TensorType;
}

/** What a layer is traced in: names its parameters, numbers its random streams, tells training from evaluation. */
export class Scope {
  /** Dropout is on, batch norm uses the batch. */
  readonly training: boolean;
  readonly #graph: Graph;
  readonly #path: string;
  readonly #shared: Shared;

  /** The model's own; its random streams are numbered from `firstStream` on. */
  constructor(graph: Graph, training: boolean, firstStream = 0, parent?: Scope, name = '') {
    this.#graph = graph;
    this.training = training;
    this.#path = parent === undefined || parent.#path === '' ? name : `${parent.#path}.${name}`;
    this.#shared =
      parent === undefined
        ? {
            tensors: new Map(),
            afterwards: [],
            calls: [],
            streams: firstStream,
            lengths: undefined,
          }
        : parent.#shared;
  }

  /** A trained tensor of this layer, f32, filled by `init` when training starts. */
  param(name: string, shape: Shape, init: Init): Value {
    return this.#tensor(name, shape, init, true);
  }

  /** A tensor that is part of the model but not trained, f32: a layer writes it in `afterStep`. */
  buffer(name: string, shape: Shape, init: Init): Value {
    return this.#tensor(name, shape, init, false);
  }

  #tensor(name: string, shape: Shape, init: Init, trained: boolean): Value {
    const full = this.#path === '' ? name : `${this.#path}.${name}`;
    if (this.#shared.tensors.has(full)) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `Two parameters are called "${full}"; give their layers names of their own`,
      );
    }
    this.#shared.tensors.set(full, { name: full, shape, init, trained });
    return this.#graph.stored(parameterKey(full), { dtype: 'f32', shape });
  }

  /**
   * Has `trace` traced once a step, after the update: not for the further passes of methods like SAM, and its ops
   * must stand still when the status block says so. A micro-batch counts as a step.
   */
  afterStep(trace: Afterwards): void {
    this.#shared.afterwards.push({ path: this.#path, trace });
  }

  /** What layers want traced where a step ends, but for those all of whose buffers are frozen. */
  afterwards(frozen: ReadonlySet<string> = new Set()): readonly Afterwards[] {
    return this.#shared.afterwards.flatMap(({ path, trace }) => {
      const own = this.buffers.filter(({ name }) => path === '' || name.startsWith(`${path}.`));
      return own.length > 0 && own.every(({ name }) => frozen.has(name)) ? [] : [trace];
    });
  }

  /** A random stream of this layer's own, the same in every pass over the model. */
  stream(): number {
    return this.#shared.streams++;
  }

  /** The first random stream that no layer has yet. */
  get nextStream(): number {
    return this.#shared.streams;
  }

  /**
   * How many steps each row of the batch has, i32 [batch]: set by layers that know it, as `embedding` does, for the
   * sequence layers after them. Without it rows are whole.
   */
  get lengths(): Value | undefined {
    return this.#shared.lengths;
  }

  set lengths(lengths: Value | undefined) {
    this.#shared.lengths = lengths;
  }

  /** Traces a layer inside this one. */
  call(name: string, layer: Layer, x: Value): Value {
    const inner = new Scope(this.#graph, this.training, 0, this, name);
    const title = layer.label === undefined ? name : `${name}: ${layer.label}`;
    const from = this.#graph.nodes.length;
    const call = { name: inner.#path, layer: layer.label ?? '', from, to: from, output: x?.type };
    this.#shared.calls.push(call);
    const y = this.#graph.inLayer(title, () => traced(`Layer "${title}"`, layer(x, inner)));
    call.to = this.#graph.nodes.length;
    call.output = y.type;
    return y;
  }

  /** Layers traced inside this one and others of the model, each before those inside it. */
  get calls(): readonly Call[] {
    return this.#shared.calls;
  }

  get params(): readonly ParameterSpec[] {
    return this.#specs(true);
  }

  get buffers(): readonly ParameterSpec[] {
    return this.#specs(false);
  }

  #specs(trained: boolean): ParameterSpec[] {
    return [...this.#shared.tensors.values()]
      .filter((tensor) => tensor.trained === trained)
      .map(({ name, shape, init }) => ({ name, shape, init }));
  }
}

/** What a model is for inputs of one type (with the batch dimension). */
export interface Description {
  readonly params: readonly ParameterSpec[];
  /** Tensors that are not trained: running statistics. */
  readonly buffers: readonly ParameterSpec[];
  readonly output: TensorType;
}

/**
 * Parameters, other tensors and output of a model for inputs of a type, whose shape begins with the batch.
 * `FLATMIN_SHAPE` where a layer does not take what comes to it.
 */
export function describeModel(model: Layer, input: TensorType): Description {
  if (typeof model !== 'function') throw wrongArgument('The model', 'a layer', model, MADE);
  checkObject('The input of a model', input);
  checkOneOf('The dtype of the input', input.dtype, ['f32', 'i32', 'u8']);
  expectDims('the input', input.shape);
  const graph = new Graph();
  const scope = new Scope(graph, true);
  const output = traced('The model', model(graph.stored('input', input), scope));
  return { params: scope.params, buffers: scope.buffers, output: output.type };
}

const MADE = 'a layer is what linear(10) or relu() returns.';

/** What a layer returned, if it is a traced value. */
function traced(layer: string, y: unknown): Value {
  if (y instanceof Value) return y;
  throw wrongArgument(
    `What ${layer.charAt(0).toLowerCase()}${layer.slice(1)} returns`,
    'a traced value',
    y,
    MADE,
  );
}
