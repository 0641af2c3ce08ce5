import { newNumbers, type Store } from '../backend/backend.ts';
import type { AnyDataset } from '../data/dataset.ts';
import { FlatminError } from '../errors.ts';
import type { Graph, Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { type Shape, sameShape, sizeOf, type TensorType } from '../graph/types.ts';
import type { Loss } from '../nn/loss.ts';
import { batchRows } from '../ops/gather.ts';
import { reshape } from '../ops/reshape.ts';
import { type Batch, batches } from './batches.ts';
import { checkIndices, indicesOf } from './indices.ts';
import { dtypeOf, formOf, type InputArray, type InputForm, seen, seenAs } from './input-form.ts';
import { type Lengths, lengthsOf, paddedTo } from './lengths.ts';

/** −1 is padding where a loss leaves rows out. */
const leastLabel = ({ weights }: Loss): number => (weights === undefined ? 0 : -1);

/**
 * A dataset in the store: uploaded once, batches are rows of an order. Sequences lie there in pieces of a few steps, and a
 * batch of them is as many pieces of each row as its length has.
 */
export class DatasetSource {
  readonly dataset: AnyDataset;
  /** Of sequences that may be cut. */
  readonly lengths: Lengths | undefined;
  readonly #keys: Readonly<Record<Field | 'order' | 'pieces', string>>;
  readonly #store: Store;
  readonly #name: string;

  constructor(store: Store, name: string, dataset: AnyDataset, loss: Loss) {
    checkDataset(name, dataset, loss);
    this.dataset = dataset;
    this.lengths = lengthsOf(name, dataset);
    this.#store = store;
    this.#name = name;
    this.#keys = {
      inputs: `data/${name}/inputs`,
      targets: `data/${name}/targets`,
      weights: `data/${name}/weights`,
      order: `data/${name}/order`,
      pieces: `data/${name}/pieces`,
    };
    for (const field of fieldsOf(dataset)) {
      const { type, data } = this.#stored(field);
      store.declare(this.#keys[field], type);
      store.write(this.#keys[field], data());
    }
    store.declare(this.#keys.order, this.#orderType);
    if (this.lengths !== undefined)
      store.declare(this.#keys.pieces, this.#piecesType(this.lengths));
    const order = Int32Array.from({ length: dataset.count }, (_, i) => i);
    this.setOrder(order, batches(dataset.count, dataset.count));
  }

  get form(): InputForm {
    return formOf(this.dataset);
  }

  /** How a field lies in the store. */
  #stored(field: Field): { type: TensorType; data: () => Numbers } {
    const { count } = this.dataset;
    const { data, shape } = columnOf(this.dataset, field);
    if (this.lengths === undefined || !this.#cut(field)) {
      return { type: { dtype: dtypeOf(data), shape: [count, ...shape] }, data: () => data };
    }
    const { longest, piece } = this.lengths;
    return {
      type: { dtype: 'i32', shape: [(count * longest) / piece, piece] },
      data: () => paddedTo(longest, data as Int32Array, count),
    };
  }

  /** Whether it has a number for each step of a sequence that may be cut. */
  #cut(field: Field): boolean {
    if (this.lengths === undefined || field === 'weights') return false;
    return (
      field === 'inputs' || sameShape(targetsOf(this.dataset).shape, this.dataset.inputs.shape)
    );
  }

  get #orderType(): TensorType {
    return { dtype: 'i32', shape: [this.dataset.count] };
  }

  #piecesType({ longest, piece }: Lengths): TensorType {
    return { dtype: 'i32', shape: [(this.dataset.count * longest) / piece] };
  }

  /** The order in which rows are visited, and the batches in which sequences are. */
  setOrder(order: Int32Array, batches: readonly Batch[]): void {
    this.#store.write(this.#keys.order, order);
    if (this.lengths === undefined) return;
    this.#store.write(this.#keys.pieces, this.lengths.pieces(order, batches));
  }

  /** Throws `FLATMIN_DATA` for the first label or token that a graph over batches of it has no row for. */
  checkIndices(graph: Graph): void {
    const { inputs } = this.dataset;
    const common = { whose: `${this.#name} data`, code: 'FLATMIN_DATA' as const };
    const indices = indicesOf(graph);
    checkIndices(indices, { key: this.#keys.inputs, ...inputs, ...common });
    checkIndices(indices, { key: this.#keys.targets, ...targetsOf(this.dataset), ...common });
  }

  /** Type of a batch of the network's inputs. */
  batchType(rows: number): TensorType {
    const { dtype, shape } = this.form;
    return { dtype: seenAs(dtype), shape: [rows, ...shape] };
  }

  /** Traces a batch that begins `offset` after the moment's; sequences of the longest length unless it has its own. */
  trace(
    graph: Graph,
    { offset: from, rows, steps }: Batch,
  ): Readonly<{ inputs: Value; targets: Value; weights?: Value }> {
    const batchOf = (field: Field): Value => {
      const stored = graph.stored(this.#keys[field], this.#stored(field).type);
      if (this.lengths === undefined || !this.#cut(field)) {
        const offset = graph.slot('offset', (moment) => moment.offset + from);
        return batchRows(stored, graph.stored(this.#keys.order, this.#orderType), offset, rows);
      }
      const { longest, piece } = this.lengths;
      const each = (steps ?? longest) / piece;
      const offset = graph.slot('pieces', (moment) => ((moment.offset + from) * longest) / piece);
      const pieces = graph.stored(this.#keys.pieces, this.#piecesType(this.lengths));
      return reshape(batchRows(stored, pieces, offset, rows * each), [rows, each * piece]);
    };
    return {
      inputs: seen(batchOf('inputs'), this.dataset),
      targets: batchOf('targets'),
      ...(this.dataset.weights && { weights: batchOf('weights') }),
    };
  }

  /** The targets of a batch of rows in this order, as its program has them. */
  targets(order: Int32Array, { steps, ...batch }: Batch): Numbers {
    const own = this.#cut('targets') ? { ...batch, steps } : batch;
    return takeRows(targetsOf(this.dataset), order, own);
  }
}

/** A batch of rows in this order; sequences that are cut to its steps are padded with −1. */
export function takeRows(
  { data, shape }: { readonly data: Numbers; readonly shape: Shape },
  order: Int32Array,
  { offset, rows, steps }: Batch,
): InputArray {
  const width = sizeOf(shape);
  const length = steps ?? width;
  const own = newNumbers(dtypeOf(data), rows * length).fill(-1) as InputArray;
  for (let i = 0; i < rows; i++) {
    const from = order[offset + i] * width;
    own.set(data.subarray(from, from + Math.min(width, length)), i * length);
  }
  return own;
}

/** What a dataset has a row of for each example. */
export type Field = 'inputs' | 'targets' | 'weights';

/** Those that it has. */
export const fieldsOf = ({ weights }: AnyDataset): readonly Field[] =>
  weights === undefined ? ['inputs', 'targets'] : ['inputs', 'targets', 'weights'];

/** The rows of a field, and the shape of one. */
export function columnOf(dataset: AnyDataset, field: Field): { data: Numbers; shape: Shape } {
  if (field === 'inputs') return dataset.inputs;
  if (field === 'targets') return targetsOf(dataset);
  return { data: dataset.weights as Float32Array, shape: [] };
}

/** Numbers to predict, or labels, and their shape in one example. */
export const targetsOf = (dataset: AnyDataset): { data: Numbers; shape: Shape } =>
  'targets' in dataset
    ? dataset.targets
    : { data: dataset.labels, shape: dataset.labelShape ?? [] };

/** Throws `FLATMIN_DATA` unless there are as many inputs and targets as examples, and labels that the loss takes. */
export function checkDataset(name: string, dataset: AnyDataset, loss: Loss): void {
  const { inputs, count, weights } = dataset;
  const width = sizeOf(inputs.shape);
  const targets = targetsOf(dataset);
  const what = 'targets' in dataset ? 'targets' : 'labels';
  const wanted = count * sizeOf(targets.shape);
  if (inputs.data.length !== count * width || targets.data.length !== wanted) {
    throw new FlatminError(
      'FLATMIN_DATA',
      `${name} data: ${count} examples of [${inputs.shape.join(', ')}] need ${count * width} inputs and ${wanted} ${what}, got ${inputs.data.length} and ${targets.data.length}`,
    );
  }
  if (weights !== undefined) checkWeights(name, weights, count);
  if ('targets' in dataset) return;
  const { labels, classes } = dataset;
  const least = leastLabel(loss);
  const bad = labels.findIndex((label) => label < least || label >= classes);
  if (bad !== -1) {
    const example = Math.floor(bad / sizeOf(targets.shape));
    throw new FlatminError(
      'FLATMIN_DATA',
      `${name} data: label ${labels[bad]} of example ${example} is outside ${least} … ${classes - 1}`,
    );
  }
}

function checkWeights(name: string, weights: Float32Array, count: number): void {
  const bad = weights.findIndex((weight) => !(weight >= 0 && Number.isFinite(weight)));
  if (weights.length === count && bad === -1) return;
  throw new FlatminError(
    'FLATMIN_DATA',
    `${name} data: weights must be ${count} finite numbers of at least 0, got ${bad === -1 ? `${weights.length} numbers` : `${weights[bad]} for example ${bad}`}`,
  );
}
