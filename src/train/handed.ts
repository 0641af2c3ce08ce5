import type { AnyDataset } from '../data/dataset.ts';
import type { Graph, Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { sameShape } from '../graph/types.ts';
import { type Batch, batches } from './batches.ts';
import { ROWS, SEQUENCES } from './evaluate.ts';
import { checkIndices, indicesOf } from './indices.ts';
import { dtypeOf, formOf, seen } from './input-form.ts';
import { lengthsOf } from './lengths.ts';
import { type ModelOnStore, shared } from './predictor.ts';
import { columnOf, type Field, fieldsOf, takeRows } from './source.ts';

/** A dataset that stays where it is: a batch at a time is handed over, in bound buffers named as its fields. */
export class HandedData {
  readonly batches: readonly Batch[];
  readonly #dataset: AnyDataset;
  readonly #on: ModelOnStore;
  readonly #order: Int32Array;

  /** `rows` are those of it that are looked at, default all. */
  constructor(on: ModelOnStore, dataset: AnyDataset, rows?: Int32Array) {
    const lengths = lengthsOf('evaluate', dataset);
    this.#on = on;
    this.#dataset = dataset;
    const all = lengths?.sorted ?? Int32Array.from({ length: dataset.count }, (_, i) => i);
    const wanted = rows && new Set(rows);
    this.#order = wanted === undefined ? all : all.filter((row) => wanted.has(row));
    const plain = batches(this.#order.length, lengths === undefined ? ROWS : SEQUENCES);
    this.batches = lengths?.padded(this.#order, plain) ?? plain;
  }

  trace(graph: Graph, batch: Batch): { inputs: Value; targets: Value; weights?: Value } {
    const dataset = this.#dataset;
    const bound = (field: Field) => {
      const { data, shape } = columnOf(dataset, field);
      const { steps } = this.#cut(field, batch);
      const own = [batch.rows, ...(steps === undefined ? shape : [steps])];
      return graph.bound(field, { dtype: dtypeOf(data), shape: own });
    };
    const { dtype, normalise } = formOf(dataset);
    const { form } = this.#on;
    const own = normalise ?? (dtype === form.dtype ? form.normalise : undefined);
    return {
      inputs: seen(bound('inputs'), { normalise: own }),
      targets: bound('targets'),
      ...(dataset.weights && { weights: bound('weights') }),
    };
  }

  /** Throws `FLATMIN_DATA` for the first label or token that a graph over it has no row for. */
  checkIndices(graph: Graph): void {
    const indices = indicesOf(graph);
    const whose = `${this.#dataset.name} data`;
    for (const key of ['inputs', 'targets'] as const) {
      const column = columnOf(this.#dataset, key);
      checkIndices(indices, { key, ...column, whose, code: 'FLATMIN_DATA' });
    }
  }

  /** The arrays of a batch's bound buffers. */
  arrays(batch: Batch): Record<string, Numbers> {
    return Object.fromEntries(
      fieldsOf(this.#dataset).map((field) => [
        field,
        shared(takeRows(columnOf(this.#dataset, field), this.#order, this.#cut(field, batch))),
      ]),
    );
  }

  /** The batch, without its steps for what has no number for each of them. */
  #cut(field: Field, { steps, ...batch }: Batch): Batch {
    const { inputs } = this.#dataset;
    const each =
      field !== 'weights' && sameShape(columnOf(this.#dataset, field).shape, inputs.shape);
    return each ? { ...batch, steps } : batch;
  }
}
