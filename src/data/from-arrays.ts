import {
  checkBoolean,
  checkNames,
  checkText,
  checkWhole,
  isFloat32Array,
  isInt32Array,
  isUint8Array,
  show,
  wrongArgument,
} from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { sizeOf } from '../graph/types.ts';
import { expectDims } from '../ops/define.ts';
import { type Dataset, type RegressionDataset, shownAs } from './dataset.ts';

type Flat = Uint8Array | Float32Array | Int32Array;

/** Numbers of examples: nested lists, a row of which may be a typed array, flat numbers, or these with one example's shape. */
export type Rows =
  | ArrayLike<number>
  | readonly Rows[]
  | {
      /** Numbers of all examples in order. */
      readonly data: ArrayLike<number>;
      /** Of one example. */
      readonly shape: readonly number[];
    };

interface CommonOptions {
  /**
   * Nested lists, one entry an example, whose nesting is the shape of one; or flat numbers, whose length over `count` is it;
   * or `{ data, shape }` with the shape of one. Bytes and Int32Arrays stay what they are, everything else becomes float32.
   */
  readonly inputs: Rows;
  /** Default as many as there are labels or rows. */
  readonly count?: number;
  /** Named in reports. Default `data`. */
  readonly name?: string;
  /** Generated, not collected: figures drawn from it say so. Default false. */
  readonly synthetic?: boolean;
  /** As in `Dataset`: what each example weighs, numbers ≥ 0. Default 1 each. */
  readonly weights?: ArrayLike<number>;
  /** As in `Dataset`: lengths that batches of token rows may be padded to. Default the whole alone. */
  readonly lengths?: readonly number[];
  /** As in `Dataset`: the network sees x · scale[c] + shift[c] for an input of channel c. Default as it is. */
  readonly normalise?: {
    /** The factor of each channel, [channels]. */
    readonly scale: number[];
    /** What is added to each channel after the factor, [channels]. */
    readonly shift: number[];
  };
}

/**
 * Options of a dataset of classes: inputs, a label for each example, and what the dataset says of itself. An unknown
 * option is `FLATMIN_ARGUMENT`.
 */
export interface LabelledOptions extends CommonOptions {
  /** A class index an example, from 0; or lists of them for each of its tokens, where −1 is padding. */
  readonly labels: Rows;
  /** Default the largest label + 1. */
  readonly classes?: number;
  /** Not given where there are `labels`. Default undefined. */
  readonly targets?: undefined;
}

/**
 * Options of a dataset of numbers to predict: inputs, the targets of each example, and what the dataset says of itself.
 * An unknown option is `FLATMIN_ARGUMENT`.
 */
export interface TargetOptions extends CommonOptions {
  /** Numbers to predict: a list of one an example, which makes the shape [1], or as `inputs`. */
  readonly targets: Rows;
  /** Not given where there are `targets`. Default undefined. */
  readonly labels?: undefined;
  /** Not given where there are `targets`. Default undefined. */
  readonly classes?: undefined;
}

/**
 * A dataset of arrays: with `labels` one of classes, with `targets` one of numbers to predict. Copies what is not a typed
 * array of the kind that it keeps. `FLATMIN_DATA` where rows differ in length or number, `FLATMIN_ARGUMENT` for anything
 * else that is not as described.
 */
export function dataset(options: LabelledOptions): Dataset;
export function dataset(options: TargetOptions): RegressionDataset;
export function dataset(options: LabelledOptions | TargetOptions): Dataset | RegressionDataset {
  checkNames<LabelledOptions | TargetOptions>('dataset', options, {
    inputs: true,
    labels: true,
    targets: true,
    count: true,
    classes: true,
    name: true,
    synthetic: true,
    weights: true,
    lengths: true,
    normalise: true,
  });
  const { name = 'data', synthetic = false, weights, lengths, normalise } = options;
  checkText('name of dataset', name);
  checkBoolean('synthetic of dataset', synthetic);
  if ((options.labels === undefined) === (options.targets === undefined)) {
    throw wrongArgument('dataset', 'given either labels or targets', options);
  }
  const inputs = gather('inputs', options.inputs);
  const field = options.labels === undefined ? 'targets' : 'labels';
  const wanted = gather(field, options[field]);
  const count = options.count ?? inputs.count ?? wanted.count ?? wanted.data.length;
  checkWhole('count of dataset', count, 0);
  const common = {
    name,
    synthetic,
    count,
    inputs: { data: kept(inputs.data), shape: shapeOf('inputs', inputs, count) },
    ...(weights !== undefined && { weights: float(gather('weights', weights).data) }),
    ...(lengths !== undefined && { lengths }),
    ...(normalise !== undefined && { normalise }),
  };
  const shape = shapeOf(field, wanted, count);
  if (field === 'targets') {
    return shownAs({ ...common, targets: { data: float(wanted.data), shape } });
  }
  const labels = asLabels(wanted.data);
  let most = 0;
  for (const label of labels) most = Math.max(most, label);
  const { classes = most + 1 } = options;
  checkWhole('classes of dataset', classes, 1);
  const one = wanted.shape === undefined && shape[0] === 1;
  return shownAs({ ...common, labels, classes, ...(!one && { labelShape: shape }) });
}

/** Numbers in order, with the shape of an example and how many there are, where they tell it. */
interface Gathered {
  readonly data: ArrayLike<number>;
  readonly shape?: number[];
  readonly count?: number;
}

const isNumbers = (given: unknown): given is ArrayLike<number> =>
  ArrayBuffer.isView(given) && !(given instanceof DataView) && 'length' in given;

function gather(field: string, given: unknown): Gathered {
  if (isNumbers(given)) return { data: given };
  if (!Array.isArray(given)) {
    const { data, shape } = Object(given) as { data?: unknown; shape: number[] };
    if (!isNumbers(data) && !Array.isArray(data)) {
      throw wrongArgument(
        `${field} of dataset`,
        'numbers: nested lists, a typed array, or { data, shape }',
        given,
      );
    }
    expectDims(`${field} of dataset`, shape);
    const size = sizeOf(shape);
    return {
      data: numbersIn(field, data),
      shape,
      count: size === 0 ? undefined : data.length / size,
    };
  }
  if (given.every((row) => typeof row === 'number')) return { data: numbersIn(field, given) };
  const shape = nesting(given[0]);
  const leaves: ArrayLike<number>[] = [];
  given.forEach((row, i) => {
    collect(row, shape, leaves, `${field} of dataset, example ${i}`);
  });
  return { data: joined(field, leaves), shape, count: given.length };
}

/** Lengths of a row and of what is first in it, to a depth that no shape has: a list may hold itself. */
function nesting(row: unknown, depth = 8): number[] {
  if (isNumbers(row)) return [row.length];
  return Array.isArray(row) && depth > 0 ? [row.length, ...nesting(row[0], depth - 1)] : [];
}

function collect(
  row: unknown,
  [length, ...inner]: readonly number[],
  leaves: ArrayLike<number>[],
  where: string,
): void {
  const is = isNumbers(row) || Array.isArray(row) ? row.length : undefined;
  if (is === undefined || is !== length) {
    throw new FlatminError(
      'FLATMIN_DATA',
      `${where}: expected ${length ?? 0} entries, as the first has, got ${is ?? show(row)}. Help: pad rows to one length.`,
    );
  }
  if (inner.length === 0) leaves.push(row as ArrayLike<number>);
  else for (const part of row as unknown[]) collect(part, inner, leaves, where);
}

/** Rows one after the other; of one kind of typed array, they stay of that kind. */
function joined(field: string, leaves: readonly ArrayLike<number>[]): ArrayLike<number> {
  const width = leaves[0]?.length ?? 0;
  const same = [isUint8Array, isInt32Array].find((is) => leaves.every((leaf) => is(leaf)));
  const Kind =
    same === isUint8Array ? Uint8Array : same === isInt32Array ? Int32Array : Float64Array;
  const all = new Kind(leaves.length * width);
  leaves.forEach((leaf, i) => {
    all.set(numbersIn(field, leaf), i * width);
  });
  return all;
}

function numbersIn(field: string, list: ArrayLike<unknown>): ArrayLike<number> {
  if (!Array.isArray(list)) return list as ArrayLike<number>;
  const bad = list.findIndex((v) => typeof v !== 'number');
  if (bad === -1) return list;
  throw wrongArgument(`Every number in ${field} of dataset`, 'a number', list[bad]);
}

/** Of one example; flat numbers are shared out evenly. */
function shapeOf(field: string, { data, shape }: Gathered, count: number): number[] {
  const width = count === 0 ? 1 : data.length / count;
  const own = shape ?? [width];
  if (Number.isInteger(width) && sizeOf(own) * count === data.length) return own;
  throw new FlatminError(
    'FLATMIN_DATA',
    `dataset: ${count} examples${shape === undefined ? '' : ` of [${shape.join(', ')}]`} do not share ${data.length} ${field} evenly`,
  );
}

const float = (data: ArrayLike<number>): Float32Array =>
  isFloat32Array(data) ? data : Float32Array.from(data);

const kept = (data: ArrayLike<number>): Flat =>
  isUint8Array(data) || isInt32Array(data) ? data : float(data);

function asLabels(data: ArrayLike<number>): Uint8Array | Int32Array {
  if (isUint8Array(data) || isInt32Array(data)) return data;
  const labels = Int32Array.from(data);
  const bad = labels.findIndex((label, i) => label !== data[i]);
  if (bad === -1) return labels;
  throw wrongArgument(
    'Every label of dataset',
    'a whole number, the index of its class',
    data[bad],
    'numbers to predict are targets.',
  );
}
