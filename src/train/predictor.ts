import { isUint8Array, wrongArgument } from '../arguments.ts';
import { newNumbers, newShared, type Store } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import { FlatminError } from '../errors.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import { isArrayOf, type Numbers } from '../graph/kernel.ts';
import { type Shape, sameShape, sizeOf, type TensorType } from '../graph/types.ts';
import { type Layer, type ParameterSpec, parameterKey, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { assign } from '../ops/assign.ts';
import { expectDims } from '../ops/define.ts';
import { checkIndices, type Indices, indicesOf } from './indices.ts';
import {
  dtypeOf,
  type InputArray,
  type InputForm,
  type InputType,
  seen,
  seenAs,
} from './input-form.ts';
import type { Turns } from './turns.ts';

/** Rows predicted at once, at most: more are cut into so many, so that memory does not grow with them. */
const ROWS = 256;
/** Plans that are kept: for every length of sequence there may be one. */
const PLANS = 64;

const MOMENTS = [{ step: 1, epoch: 0, seed: 0, offset: 0 }];

/** Numbers row by row and their shape. */
export interface Tensor {
  readonly data: Float32Array;
  readonly shape: Shape;
}

/** Rows of the training data's shape one after the other, or rows of the shape that is told with them, [rows, …]. */
export type Inputs = InputArray | { readonly data: InputArray; readonly shape: Shape };

/** A model whose tensors lie in a store. */
export interface ModelOnStore {
  readonly model: Layer;
  readonly params: readonly ParameterSpec[];
  /** Tensors that are not trained. */
  readonly buffers: readonly ParameterSpec[];
  readonly store: Store;
  /** What it is judged by unless it is told otherwise. */
  readonly loss: Loss;
  /** Of an example as the data have it. */
  readonly form: InputForm;
  /** Type of a batch as the network sees it. */
  readonly input: TensorType;
  /** Of all that runs on the store. */
  readonly turns: Turns;
}

/** Rows to predict. */
interface Given {
  readonly data: InputArray;
  readonly dtype: InputType;
  readonly rows: number;
  /** Of one row. */
  readonly shape: Shape;
}

/** A compiled evaluation of so many rows. */
interface Plan {
  readonly rows: number;
  readonly program: Program;
  readonly indices: Indices;
  /** Of the outputs of all its rows. */
  readonly shape: Shape;
  /** Off the main thread just now. */
  running: number;
}

const [INPUTS, OUTPUTS] = ['inputs', 'outputs'];

/** Runs a model in evaluation, whose rows do not depend on each other, by plans of a few sizes. */
export class Predictor {
  readonly #on: ModelOnStore;
  /** The one that was used last at the end. */
  readonly #plans = new Map<string, Plan>();

  constructor(on: ModelOnStore) {
    this.#on = on;
  }

  /** Throws unless `inputs` are whole rows of what the model takes. */
  check(inputs: unknown): Given {
    const { form } = this.#on;
    const told = isRecord(inputs);
    const { data, shape } = (told ? inputs : { data: inputs }) as { data: unknown; shape: unknown };
    const dtype = [form.dtype, seenAs(form.dtype)].find((type) => holds(type, data));
    if (dtype === undefined)
      throw wrongArgument('The inputs of predict', EXPECTED[form.dtype], data);
    const { length } = data as InputArray;
    const own = told ? shapeOf(shape, form, length) : rowsOf(form, length);
    return { data: data as InputArray, dtype, rows: own[0], shape: own.slice(1) };
  }

  run(given: Given): Tensor {
    const { plan, result, chunks } = this.#begin(given);
    for (const { inputs, take } of chunks) {
      const outputs = new Float32Array(sizeOf(plan.shape));
      plan.program.runSync(MOMENTS, bindings(plan, inputs, outputs));
      take(outputs);
    }
    return result;
  }

  async runAsync(given: Given): Promise<Tensor> {
    const { plan, result, chunks } = this.#begin(given);
    const outputs = newShared('f32', sizeOf(plan.shape)) as Float32Array;
    plan.running += 1;
    try {
      for (const { inputs, take } of chunks) {
        await plan.program.run(MOMENTS, { bindings: bindings(plan, shared(inputs), outputs) });
        take(outputs);
      }
    } finally {
      plan.running -= 1;
      this.#freeUnused(plan);
    }
    return result;
  }

  /** The outputs to be, and the pieces of work that fill them in. */
  #begin({ data, dtype, rows, shape }: Given) {
    const width = sizeOf(shape);
    const plan = this.#plan(sizeFor(rows, this.#on.input.shape[0]), dtype, shape);
    checkIndices(plan.indices, {
      key: INPUTS,
      data,
      shape,
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
        inputs: padded(data.subarray(begin * width, end * width), dtype, plan.rows * width),
        take: (outputs: Float32Array) => {
          result.data.set(outputs.subarray(0, (end - begin) * outWidth), begin * outWidth);
        },
      });
    }
    return { plan, result, chunks };
  }

  #plan(rows: number, dtype: InputType, shape: Shape): Plan {
    const key = `${dtype} ${[rows, ...shape].join('×')}`;
    const plan = this.#plans.get(key) ?? this.#make(rows, dtype, shape);
    this.#plans.delete(key);
    this.#plans.set(key, plan);
    const [[oldest, unused]] = this.#plans;
    if (this.#plans.size > PLANS) {
      this.#plans.delete(oldest);
      this.#freeUnused(unused);
    }
    return plan;
  }

  /** At once where it is no longer kept: in a loop that never yields nothing else would. */
  #freeUnused(plan: Plan): void {
    const kept = [...this.#plans.values()].includes(plan);
    if (!kept && plan.running === 0) plan.program.free();
  }

  #make(rows: number, dtype: InputType, shape: Shape): Plan {
    const { store, model, form } = this.#on;
    const graph = new Graph();
    const given = graph.bound(INPUTS, { dtype, shape: [rows, ...shape] });
    const scope = new Scope(graph, false);
    const y = model(dtype === form.dtype ? seen(given, form) : given, scope);
    if (y.shape.length === 0 || y.shape[0] % rows !== 0) {
      throw new FlatminError(
        'FLATMIN_SHAPE',
        `predict expects a model whose outputs have rows first, got [${y.shape.join(', ')}] for ${rows} rows`,
      );
    }
    checkFit(store, scope, shape);
    assign([graph.bound(OUTPUTS, y.type)], [y]);
    return {
      rows,
      program: new Program(compile(graph), store),
      indices: indicesOf(graph),
      shape: y.shape,
      running: 0,
    };
  }
}

const isRecord = (x: unknown): boolean =>
  typeof x === 'object' && x !== null && !Array.isArray(x) && !ArrayBuffer.isView(x);

const EXPECTED: Readonly<Record<InputType, string>> = {
  i32: 'tokens in an Int32Array',
  f32: 'a Float32Array',
  u8: 'a Uint8Array as the training data, or a Float32Array as the network takes them',
};

const holds = (dtype: InputType, data: unknown): boolean =>
  dtype === 'u8' ? isUint8Array(data) : isArrayOf(dtype, data);

/** [rows, …] of rows of the data's shape. */
function rowsOf({ shape }: InputForm, length: number): Shape {
  const width = sizeOf(shape);
  if (width > 0 && length % width === 0) return [length / width, ...shape];
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `predict expects rows of [${shape.join(', ')}], ${width} numbers each, got ${length} numbers. Help: rows of another shape are predict({ data, shape }).`,
  );
}

/** The shape that was told, where it is one of such inputs. */
function shapeOf(shape: unknown, form: InputForm, length: number): Shape {
  expectDims('The inputs of predict', shape);
  const own = shape as Shape;
  if (own.length === form.shape.length + 1 && sizeOf(own) === length) return own;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `predict expects rows as [${form.shape.join(', ')}] in a shape of ${form.shape.length + 1} dimensions, rows first, got [${own.join(', ')}] for ${length} numbers`,
  );
}

/** Throws where the model would have other tensors for inputs of this shape. */
export function checkFit(store: Store, { params, buffers }: Scope, shape: Shape): void {
  for (const { name, shape: wanted } of [...params, ...buffers]) {
    const { shape: own } = store.type(parameterKey(name));
    if (sameShape(own, wanted)) continue;
    throw new FlatminError(
      'FLATMIN_SHAPE',
      `The model does not take rows of [${shape.join(', ')}]: "${name}" would be [${wanted.join(', ')}] and is [${own.join(', ')}]`,
    );
  }
}

const bindings = ({ program }: Plan, inputs: Numbers, outputs: Numbers): Numbers[] =>
  program.bound.map((key) => (key === INPUTS ? inputs : outputs));

/** Rows of the plan for so many: those of a training batch, or else a power of two. */
const sizeFor = (rows: number, batch: number): number =>
  rows === batch ? batch : Math.min(ROWS, 2 ** Math.ceil(Math.log2(Math.max(1, rows))));

/** Rows past the last are zeros. */
function padded(data: InputArray, dtype: InputType, length: number): InputArray {
  if (data.length === length) return data;
  const whole = newNumbers(dtype, length) as InputArray;
  whole.set(data);
  return whole;
}

/** A copy that no one can detach. */
export function shared(data: InputArray): Numbers {
  const own = newShared(dtypeOf(data), data.length);
  own.set(data);
  return own;
}
