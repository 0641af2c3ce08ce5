import { newShared } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import type { AnyDataset } from '../data/dataset.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { sameShape, sizeOf, type TensorType } from '../graph/types.ts';
import { Scope } from '../nn/layer.ts';
import { type Batch, batches, shapeOf } from './batches.ts';
import {
  type Criteria,
  type Evaluation,
  OUTPUTS,
  ROWS,
  SEQUENCES,
  Totals,
  traceBatch,
} from './evaluate.ts';
import { checkIndices, indicesOf } from './indices.ts';
import { dtypeOf, formOf, seen } from './input-form.ts';
import { lengthsOf } from './lengths.ts';
import { checkFit, type ModelOnStore, shared } from './predictor.ts';
import { columnOf, type Field, fieldsOf, takeRows } from './source.ts';

const MOMENTS = [{ step: 1, epoch: 0, seed: 0, offset: 0 }];

/** A compiled forward pass over a batch. */
interface Pass {
  readonly program: Program;
  readonly outputs: TensorType | undefined;
}

/** Compiled forward passes over a dataset that stays where it is: a batch at a time is handed over. */
export class Examination {
  readonly #metrics: Criteria['metrics'];
  readonly #dataset: AnyDataset;
  readonly #order: Int32Array;
  readonly #batches: readonly Batch[];
  readonly #passes = new Map<string, Pass>();
  /** Traced sums of each metric. */
  #counts: readonly number[] = [];

  constructor(on: ModelOnStore, dataset: AnyDataset, criteria: Criteria) {
    const { count } = dataset;
    const lengths = lengthsOf('evaluate', dataset);
    this.#metrics = criteria.metrics;
    this.#dataset = dataset;
    this.#order = lengths?.sorted ?? Int32Array.from({ length: count }, (_, i) => i);
    const plain = batches(count, lengths === undefined ? ROWS : SEQUENCES);
    this.#batches = lengths?.padded(this.#order, plain) ?? plain;
    for (const batch of this.#batches) {
      const shape = shapeOf(batch);
      if (!this.#passes.has(shape))
        this.#passes.set(shape, this.#pass(on, dataset, criteria, batch));
    }
  }

  #pass(on: ModelOnStore, dataset: AnyDataset, criteria: Criteria, batch: Batch): Pass {
    const graph = new Graph();
    const scope = new Scope(graph, false);
    const bound = (field: Field) => {
      const { data, shape } = columnOf(dataset, field);
      const { steps } = this.#cut(field, batch);
      const own = [batch.rows, ...(steps === undefined ? shape : [steps])];
      return graph.bound(field, { dtype: dtypeOf(data), shape: own });
    };
    const { dtype, normalise } = formOf(dataset);
    const form = {
      normalise: normalise ?? (dtype === on.form.dtype ? on.form.normalise : undefined),
    };
    const given = {
      inputs: seen(bound('inputs'), form),
      targets: bound('targets'),
      ...(dataset.weights && { weights: bound('weights') }),
    };
    const { reports, counts, outputs } = traceBatch(on.model, criteria, given, scope);
    checkFit(on.store, scope, dataset.inputs.shape);
    this.#counts = counts;
    const indices = indicesOf(graph);
    for (const key of ['inputs', 'targets'] as const) {
      const whose = `${dataset.name} data`;
      checkIndices(indices, { key, ...columnOf(dataset, key), whose, code: 'FLATMIN_DATA' });
    }
    return { program: new Program(compile(graph, { reports }), on.store), outputs };
  }

  /** The batch, without its steps for what has no number for each of them. */
  #cut(field: Field, { steps, ...batch }: Batch): Batch {
    const { inputs } = this.#dataset;
    const each =
      field !== 'weights' && sameShape(columnOf(this.#dataset, field).shape, inputs.shape);
    return each ? { ...batch, steps } : batch;
  }

  async run(): Promise<Evaluation> {
    const totals = new Totals(this.#metrics, this.#counts);
    const dataset = this.#dataset;
    for (const batch of this.#batches) {
      const { program, outputs: type } = this.#passes.get(shapeOf(batch)) as Pass;
      const outputs = newShared('f32', sizeOf(type?.shape ?? [])) as Float32Array;
      const arrays: Record<string, Numbers> = { [OUTPUTS]: outputs };
      for (const field of fieldsOf(dataset)) {
        const own = takeRows(columnOf(dataset, field), this.#order, this.#cut(field, batch));
        arrays[field] = shared(own);
      }
      const bindings = program.bound.map((key) => arrays[key]);
      totals.add((await program.run(MOMENTS, { bindings })).reports);
      if (type !== undefined) totals.count({ data: outputs, shape: type.shape }, arrays.targets);
    }
    return totals.evaluation;
  }
}
