import { isInt32Array, wrongArgument } from '../arguments.ts';
import type { Store } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import { FlatminError } from '../errors.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { isArrayOf } from '../graph/kernel.ts';
import type { TensorType } from '../graph/types.ts';
import { type Shape, sizeOf } from '../graph/types.ts';
import type { Layer, ParameterSpec } from '../nn/layer.ts';
import { Scope } from '../nn/layer.ts';
import { assign } from '../ops/assign.ts';
import { checkIndices, type Indices, indicesOf } from './indices.ts';
import type { Turns } from './turns.ts';

/** Rows predicted at once, at most: more are cut into so many, so that memory does not grow with them. */
const ROWS = 256;

const MOMENTS = [{ step: 1, epoch: 0, seed: 0, offset: 0 }];

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
  /** Of all that runs on the store. */
  readonly turns: Turns;
}

/** A compiled evaluation of so many rows. */
interface Plan {
  readonly rows: number;
  readonly program: Program;
  readonly indices: Indices;
  readonly inputs: string;
  readonly outputs: string;
  /** Of all its rows. */
  readonly shape: Shape;
}

/** Runs a model in evaluation, whose rows do not depend on each other, by plans of a few sizes. */
export class Predictor {
  readonly #on: ModelOnStore;
  readonly #plans = new Map<number, Plan>();

  constructor(on: ModelOnStore) {
    this.#on = on;
  }

  /** Throws unless `inputs` are whole rows of what the network takes. */
  check(inputs: unknown): asserts inputs is Float32Array | Int32Array {
    const { dtype, shape } = this.#on.input;
    if (!isArrayOf(dtype, inputs)) {
      const expected = dtype === 'i32' ? 'tokens in an Int32Array' : 'a Float32Array';
      throw wrongArgument('The inputs of predict', expected, inputs);
    }
    const width = sizeOf(shape.slice(1));
    if (width > 0 && inputs.length % width === 0) return;
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `predict expects rows of [${shape.slice(1).join(', ')}], ${width} numbers each, got ${inputs.length} numbers`,
    );
  }

  run(inputs: Numbers): Tensor {
    const { result, chunks } = this.#begin(inputs);
    for (const { plan, write, read } of chunks) {
      write();
      plan.program.runSync(MOMENTS);
      read();
    }
    return result;
  }

  async runAsync(inputs: Numbers): Promise<Tensor> {
    const { result, chunks } = this.#begin(inputs);
    for (const { plan, write, read } of chunks) {
      write();
      await plan.program.run(MOMENTS);
      read();
    }
    return result;
  }

  /** The outputs to be, and the pieces of work that fill them in. */
  #begin(inputs: Numbers) {
    const { store, input } = this.#on;
    const width = sizeOf(input.shape.slice(1));
    const rows = inputs.length / width;
    const plan = this.#plan(sizeFor(rows, input.shape[0]));
    checkIndices(plan.indices, {
      key: plan.inputs,
      data: inputs,
      shape: input.shape.slice(1),
      whose: 'The inputs of predict',
      code: 'FLATMIN_ARGUMENT',
    });
    const [lead, ...rest] = plan.shape;
    const outWidth = sizeOf(plan.shape) / plan.rows;
    const result = {
      data: new Float32Array(rows * outWidth),
      shape: [(lead / plan.rows) * rows, ...rest],
    };
    const chunks = [];
    for (let begin = 0; begin < rows; begin += plan.rows) {
      const end = Math.min(rows, begin + plan.rows);
      chunks.push({
        plan,
        write: () =>
          store.write(
            plan.inputs,
            padded(inputs.subarray(begin * width, end * width), plan.rows * width),
          ),
        read: () => {
          const outputs = store.read(plan.outputs) as Float32Array;
          result.data.set(outputs.subarray(0, (end - begin) * outWidth), begin * outWidth);
        },
      });
    }
    return { result, chunks };
  }

  #plan(rows: number): Plan {
    const known = this.#plans.get(rows);
    if (known !== undefined) return known;
    const { input, store, model } = this.#on;
    const [inputs, outputs] = [`predict/${rows}/inputs`, `predict/${rows}/outputs`];
    const graph = new Graph();
    const x = graph.stored(inputs, { dtype: input.dtype, shape: [rows, ...input.shape.slice(1)] });
    const y = model(x, new Scope(graph, false));
    if (y.shape.length === 0 || y.shape[0] % rows !== 0) {
      throw new FlatminError(
        'FLATMIN_SHAPE',
        `predict expects a model whose outputs have rows first, got [${y.shape.join(', ')}] for ${rows} rows`,
      );
    }
    assign([graph.stored(outputs, y.type)], [y]);
    const plan = {
      rows,
      program: new Program(compile(graph), store),
      indices: indicesOf(graph),
      inputs,
      outputs,
      shape: y.shape,
    };
    this.#plans.set(rows, plan);
    return plan;
  }
}

/** Rows of the plan for so many: those of a training batch, or else a power of two. */
const sizeFor = (rows: number, batch: number): number =>
  rows === batch ? batch : Math.min(ROWS, 2 ** Math.ceil(Math.log2(Math.max(1, rows))));

/** Rows past the last are zeros. */
function padded(data: Numbers, length: number): Numbers {
  if (data.length === length) return data;
  const whole = isInt32Array(data) ? new Int32Array(length) : new Float32Array(length);
  whole.set(data);
  return whole;
}
