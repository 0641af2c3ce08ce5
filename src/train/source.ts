import type { Store } from '../backend/backend.ts';
import type { AnyDataset } from '../data/dataset.ts';
import { FlatminError } from '../errors.ts';
import type { Graph, Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { type Shape, sizeOf, type TensorType } from '../graph/types.ts';
import type { Loss } from '../nn/loss.ts';
import { batchRows } from '../ops/gather.ts';
import { checkIndices, indicesOf } from './indices.ts';
import { dtypeOf, formOf, type InputForm, seen, seenAs } from './input-form.ts';

/** −1 is padding where a loss leaves rows out. */
const leastLabel = ({ weights }: Loss): number => (weights === undefined ? 0 : -1);

/** A dataset in the store: uploaded once, batches are rows of an order. */
export class DatasetSource {
  readonly dataset: AnyDataset;
  readonly #keys: { inputs: string; targets: string; order: string };
  readonly #targetsType: TensorType;
  readonly #store: Store;
  readonly #name: string;

  constructor(store: Store, name: string, dataset: AnyDataset, loss: Loss) {
    checkDataset(name, dataset, loss);
    this.dataset = dataset;
    const targets = targetsOf(dataset);
    this.#store = store;
    this.#name = name;
    this.#keys = {
      inputs: `data/${name}/inputs`,
      targets: `data/${name}/targets`,
      order: `data/${name}/order`,
    };
    store.declare(this.#keys.inputs, this.#inputsType);
    store.write(this.#keys.inputs, dataset.inputs.data);
    this.#targetsType = {
      dtype: dtypeOf(targets.data),
      shape: [dataset.count, ...targets.shape],
    };
    store.declare(this.#keys.targets, this.#targetsType);
    store.write(this.#keys.targets, targets.data);
    store.declare(this.#keys.order, this.#orderType);
    this.setOrder(Int32Array.from({ length: dataset.count }, (_, i) => i));
  }

  get form(): InputForm {
    return formOf(this.dataset);
  }

  get #inputsType(): TensorType {
    const { dtype, shape } = this.form;
    return { dtype, shape: [this.dataset.count, ...shape] };
  }

  get #orderType(): TensorType {
    return { dtype: 'i32', shape: [this.dataset.count] };
  }

  /** The order in which rows are visited. */
  setOrder(order: Int32Array): void {
    this.#store.write(this.#keys.order, order);
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

  /** Traces the `rows` of the order that begin `from` after the moment's offset. */
  trace(graph: Graph, rows: number, from = 0): { inputs: Value; targets: Value } {
    const offset = graph.slot('offset', (moment) => moment.offset + from);
    const order = graph.stored(this.#keys.order, this.#orderType);
    const batchOf = (key: string, type: TensorType): Value =>
      batchRows(graph.stored(key, type), order, offset, rows);
    return {
      inputs: seen(batchOf(this.#keys.inputs, this.#inputsType), this.dataset),
      targets: batchOf(this.#keys.targets, this.#targetsType),
    };
  }
}

/** Numbers to predict, or labels, and their shape in one example. */
export const targetsOf = (dataset: AnyDataset): { data: Numbers; shape: Shape } =>
  'targets' in dataset
    ? dataset.targets
    : { data: dataset.labels, shape: dataset.labelShape ?? [] };

/** Throws `FLATMIN_DATA` unless there are as many inputs and targets as examples, and labels that the loss takes. */
export function checkDataset(name: string, dataset: AnyDataset, loss: Loss): void {
  const { inputs, count } = dataset;
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
