import { checkNames, checkWhole } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { permutation, STREAM } from '../random/philox.ts';
import type { Table } from './csv.ts';
import type { Dataset } from './dataset.ts';

/** What `TableTransform.fit` is told of a table's columns. */
export interface TransformOptions {
  /** The column to predict, whose values are the classes. */
  readonly target: string;
  /** Columns to leave out. */
  readonly drop?: readonly string[];
  /** Columns of numbers, and of categories, where that is not what their values say. */
  readonly numeric?: readonly string[];
  readonly categorical?: readonly string[];
}

/** What a column becomes: one input, or one for each category, and one more where training rows lack a value. */
type Column =
  | {
      readonly name: string;
      readonly kind: 'numeric';
      readonly mean: number;
      /** Of the training rows; 1 where all are equal. */
      readonly std: number;
      readonly missing: boolean;
    }
  | {
      readonly name: string;
      readonly kind: 'categorical';
      readonly categories: readonly string[];
      readonly missing: boolean;
    };

/** A fitted `TableTransform` as JSON keeps it. */
export interface TransformJSON {
  readonly target: string;
  readonly classes: readonly string[];
  readonly columns: readonly Column[];
}

/**
 * Rows of a table as inputs of a network, fitted on training rows alone: numbers become (x − mean)/std, 0 where they are
 * missing; categories become 1 in their place, and nothing where training rows did not have them. A column with missing
 * values in the training rows has one more input, which is 1 for them. `toJSON()` goes with a saved model, so that
 * `inputs` of raw rows are those that it was trained on.
 */
export class TableTransform {
  readonly target: string;
  /** Values of the target in the training rows, in order; a label is a place in this list. */
  readonly classes: readonly string[];
  readonly #columns: readonly Column[];

  constructor({ target, classes, columns }: TransformJSON) {
    this.target = target;
    this.classes = classes;
    this.#columns = columns;
  }

  /**
   * Fits to the rows of these numbers. A column counts as numeric where every value in those rows is a number; categories of
   * which more than half are different, as names, have to be left out by `drop`. `FLATMIN_DATA` names line and column of what
   * does not fit.
   */
  static fit(table: Table, rows: ArrayLike<number>, options: TransformOptions): TableTransform {
    checkNames<TransformOptions>('TableTransform.fit', options, {
      target: true,
      drop: true,
      numeric: true,
      categorical: true,
    });
    const { target, drop = [], numeric = [], categorical = [] } = options;
    for (const name of [...drop, ...numeric, ...categorical]) placeOf(table, name);
    const goal = placeOf(table, target);
    const columns = table.columns
      .filter((name) => name !== target && !drop.includes(name))
      .map((name): Column => {
        const place = placeOf(table, name);
        const values = Array.from(rows, (row) => table.rows[row][place]);
        const present = values.filter((value) => value !== null);
        const missing = present.length < values.length;
        const isNumeric =
          numeric.includes(name) || (!categorical.includes(name) && present.every(isNumber));
        if (isNumeric) {
          const numbers = Array.from(rows, (row) => numberAt(table, row, place)).filter(
            (x) => x !== null,
          );
          return { name, kind: 'numeric', ...moments(numbers), missing };
        }
        const categories = [...new Set(present)].sort();
        if (!categorical.includes(name) && categories.length > Math.max(20, present.length / 2)) {
          throw new FlatminError(
            'FLATMIN_DATA',
            `${table.source}, column "${name}": ${categories.length} of ${present.length} values are different, which are no categories. Help: name it in drop, or in categorical if they are.`,
          );
        }
        return { name, kind: 'categorical', categories, missing };
      });
    const labels = Array.from(rows, (row) => targetAt(table, row, goal));
    return new TableTransform({ target, classes: [...new Set(labels)].sort(), columns });
  }

  /** Names of the columns that it reads. */
  get columns(): readonly string[] {
    return this.#columns.map(({ name }) => name);
  }

  /** Names of the inputs, in order. */
  get features(): readonly string[] {
    return this.#columns.flatMap((column) => [
      ...(column.kind === 'numeric'
        ? [column.name]
        : column.categories.map((category) => `${column.name}=${category}`)),
      ...(column.missing ? [`${column.name} missing`] : []),
    ]);
  }

  /** [rows, features] from raw rows, of which the target may be absent. */
  inputs(table: Table, rows: ArrayLike<number> = range(table.rows.length)): Float32Array {
    const width = this.features.length;
    const data = new Float32Array(rows.length * width);
    const columns = this.#columns.map((column) => ({ column, from: placeOf(table, column.name) }));
    Array.from(rows).forEach((row, i) => {
      let at = i * width;
      for (const { column, from } of columns) {
        const value = table.rows[row][from];
        if (column.kind === 'numeric') {
          const x = numberAt(table, row, from);
          data[at++] = x === null ? 0 : (x - column.mean) / column.std;
        } else {
          const place = value === null ? -1 : column.categories.indexOf(value);
          if (place !== -1) data[at + place] = 1;
          at += column.categories.length;
        }
        if (column.missing) data[at++] = Number(value === null);
      }
    });
    return data;
  }

  /** Inputs and labels of rows; `FLATMIN_DATA` for a target that the training rows did not have. */
  dataset(table: Table, rows: ArrayLike<number> = range(table.rows.length)): Dataset {
    const goal = placeOf(table, this.target);
    const labels = Int32Array.from(Array.from(rows), (row) => {
      const value = targetAt(table, row, goal);
      const label = this.classes.indexOf(value);
      if (label !== -1) return label;
      throw at(table, row, goal, `one of ${this.classes.join(', ')}`, value);
    });
    return {
      name: table.source,
      synthetic: false,
      inputs: { data: this.inputs(table, rows), shape: [this.features.length] },
      labels,
      classes: this.classes.length,
      count: rows.length,
    };
  }

  toJSON(): TransformJSON {
    return { target: this.target, classes: this.classes, columns: this.#columns };
  }
}

/** How `splitRows` splits. */
export interface SplitOptions {
  /** Decides the order of rows. A whole number of at least 0. */
  readonly seed: number;
  /** The share of rows for the test, from 0 to 1, rounded up to whole rows. Default 0.2. */
  readonly test?: number;
  /** The share of rows held back for validation, from 0 to 1, rounded up to whole rows. Default 0. */
  readonly validation?: number;
}

/** Numbers of the rows of a random split: first test, then validation, then training rows of one permutation. */
export function splitRows(
  count: number,
  options: SplitOptions,
): Record<'train' | 'validation' | 'test', Int32Array> {
  checkWhole('count', count, 0);
  checkNames<SplitOptions>('splitRows', options, { seed: true, test: true, validation: true });
  const { seed, test = 0.2, validation = 0 } = options;
  checkWhole('seed', seed, 0);
  const held = [test, validation].map((share) => Math.ceil(share * count - 1e-9));
  if (!held.every((rows) => rows >= 0) || !(held[0] + held[1] < count)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `splitRows expects shares of at least 0 that leave training rows, got test ${test} and validation ${validation} of ${count} rows`,
    );
  }
  const order = permutation({ seed, stream: STREAM.split, step: 0 }, count);
  return {
    test: order.slice(0, held[0]),
    validation: order.slice(held[0], held[0] + held[1]),
    train: order.slice(held[0] + held[1]),
  };
}

const range = (count: number) => Int32Array.from({ length: count }, (_, i) => i);

function placeOf(table: Table, name: string): number {
  const place = table.columns.indexOf(name);
  if (place !== -1) return place;
  throw new FlatminError(
    'FLATMIN_DATA',
    `${table.source} has no column "${name}"; it has ${table.columns.join(', ')}`,
  );
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const isNumber = (value: string): boolean => NUMBER.test(value) && Number.isFinite(Number(value));

function numberAt(table: Table, row: number, place: number): number | null {
  const value = table.rows[row][place];
  if (value === null) return null;
  if (isNumber(value)) return Number(value);
  throw at(table, row, place, 'a finite number', value);
}

function targetAt(table: Table, row: number, place: number): string {
  const value = table.rows[row][place];
  if (value !== null) return value;
  throw at(table, row, place, 'a value to predict', 'nothing');
}

const at = (table: Table, row: number, place: number, expected: string, got: string) =>
  new FlatminError(
    'FLATMIN_DATA',
    `${table.source}, line ${table.lines[row]}, column "${table.columns[place]}": expected ${expected}, got ${got}`,
  );

function moments(values: readonly number[]): { mean: number; std: number } {
  const count = Math.max(1, values.length);
  const mean = values.reduce((sum, x) => sum + x, 0) / count;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / count;
  return { mean, std: Math.sqrt(variance) || 1 };
}
