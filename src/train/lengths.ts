import { isInt32Array } from '../arguments.ts';
import type { AnyDataset } from '../data/dataset.ts';
import { FlatminError } from '../errors.ts';
import type { Batch } from './batches.ts';

/** To what batches of sequences are padded: each to the least of a few lengths that holds its longest row. */
export class Lengths {
  /** In order; the last holds every row. */
  readonly all: readonly number[];
  /** What divides all of them: rows are stored in pieces of so many steps. */
  readonly piece: number;
  /** Of each row, without its padding. */
  readonly #own: Int32Array;

  constructor({ inputs, count }: AnyDataset, lengths: readonly number[]) {
    const [steps] = inputs.shape;
    this.piece = lengths.reduce(greatestDivisor);
    const longest = Math.max(this.piece, Math.ceil(steps / this.piece) * this.piece);
    const shorter = [...new Set(lengths)].filter((length) => length < longest);
    this.all = [...shorter.sort((a, b) => a - b), longest];
    this.#own = Int32Array.from({ length: count }, (_, row) => {
      let length = steps;
      while (length > 0 && inputs.data[row * steps + length - 1] === -1) length -= 1;
      return length;
    });
  }

  /** What every row fits into. */
  get longest(): number {
    return this.all[this.all.length - 1];
  }

  /** Rows by their lengths. */
  get sorted(): Int32Array {
    const rows = Int32Array.from(this.#own.keys());
    return rows.sort((a, b) => this.#own[a] - this.#own[b] || a - b);
  }

  /** Batches of rows in this order with what they are padded to. */
  padded(order: Int32Array, batches: readonly Batch[]): Batch[] {
    return batches.map(({ offset, rows }) => {
      const own = order.subarray(offset, offset + rows);
      const longest = own.reduce((most, row) => Math.max(most, this.#own[row]), 0);
      return { offset, rows, steps: this.all.find((length) => length >= longest) };
    });
  }

  /** Numbers of the pieces of every batch, one batch after the other; room is left for the longest. */
  pieces(order: Int32Array, batches: readonly Batch[]): Int32Array {
    const most = this.longest / this.piece;
    const pieces = new Int32Array(order.length * most);
    for (const { offset, rows, steps = this.longest } of batches) {
      let at = offset * most;
      for (let row = offset; row < offset + rows; row++) {
        for (let k = 0; k < steps / this.piece; k++) pieces[at++] = order[row] * most + k;
      }
    }
    return pieces;
  }
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

/** Those of a dataset; none where it has one length alone. */
export function lengthsOf(name: string, dataset: AnyDataset): Lengths | undefined {
  const { lengths, inputs } = dataset;
  if (lengths === undefined) return undefined;
  if (inputs.shape.length === 1 && isInt32Array(inputs.data)) {
    return new Lengths(dataset, lengths);
  }
  throw new FlatminError(
    'FLATMIN_DATA',
    `${name} data: lengths are for rows of tokens, an Int32Array of [steps] each, got inputs [${inputs.shape.join(', ')}]`,
  );
}

/** Rows of `length` numbers, padded with −1. */
export function paddedTo(length: number, data: Int32Array, count: number): Int32Array {
  const steps = count === 0 ? 0 : data.length / count;
  if (steps === length) return data;
  const out = new Int32Array(count * length).fill(-1);
  for (let row = 0; row < count; row++) {
    out.set(data.subarray(row * steps, (row + 1) * steps), row * length);
  }
  return out;
}
