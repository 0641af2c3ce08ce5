import { newShared } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import type { AnyDataset } from '../data/dataset.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { type Shape, sameShape, sizeOf, type TensorType } from '../graph/types.ts';
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
import { takeRows, targetsOf } from './source.ts';

const [INPUTS, TARGETS] = ['inputs', 'targets'] as const;
const MOMENTS = [{ step: 1, epoch: 0, seed: 0, offset: 0 }];

/** A compiled forward pass over a batch. */
interface Pass {
  readonly program: Program;
  readonly outputs: TensorType | undefined;
}

/** An array with a row for each example. */
interface Field {
  readonly data: Numbers;
  readonly shape: Shape;
}

/** Compiled forward passes over a dataset that stays where it is: a batch at a time is handed over. */
export class Examination {
  readonly #metrics: Criteria['metrics'];
  readonly #fields: Readonly<Record<typeof INPUTS | typeof TARGETS, Field>>;
  readonly #order: Int32Array;
  readonly #batches: readonly Batch[];
  readonly #passes = new Map<string, Pass>();
  /** Traced sums of each metric. */
  #counts: readonly number[] = [];

  constructor(on: ModelOnStore, dataset: AnyDataset, criteria: Criteria) {
    const { count, inputs } = dataset;
    const lengths = lengthsOf('evaluate', dataset);
    this.#metrics = criteria.metrics;
    this.#fields = { inputs, targets: targetsOf(dataset) };
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
    const bound = (field: typeof INPUTS | typeof TARGETS) => {
      const { data, shape } = this.#fields[field];
      const { steps } = this.#cut(field, batch);
      const own = [batch.rows, ...(steps === undefined ? shape : [steps])];
      return graph.bound(field, { dtype: dtypeOf(data), shape: own });
    };
    const { dtype, normalise } = formOf(dataset);
    const form = {
      normalise: normalise ?? (dtype === on.form.dtype ? on.form.normalise : undefined),
    };
    const given = { inputs: seen(bound(INPUTS), form), targets: bound(TARGETS) };
    const { reports, counts, outputs } = traceBatch(on.model, criteria, given, scope);
    checkFit(on.store, scope, dataset.inputs.shape);
    this.#counts = counts;
    const indices = indicesOf(graph);
    for (const key of [INPUTS, TARGETS]) {
      const whose = `${dataset.name} data`;
      checkIndices(indices, { key, ...this.#fields[key], whose, code: 'FLATMIN_DATA' });
    }
    return { program: new Program(compile(graph, { reports }), on.store), outputs };
  }

  /** The batch, without its steps for what has no number for each of them. */
  #cut(field: typeof INPUTS | typeof TARGETS, { steps, ...batch }: Batch): Batch {
    const { inputs, targets } = this.#fields;
    const has = field === INPUTS || sameShape(targets.shape, inputs.shape);
    return has ? { ...batch, steps } : batch;
  }

  async run(): Promise<Evaluation> {
    const totals = new Totals(this.#metrics, this.#counts);
    for (const batch of this.#batches) {
      const { program, outputs: type } = this.#passes.get(shapeOf(batch)) as Pass;
      const [inputs, targets] = [INPUTS, TARGETS].map((field) =>
        shared(takeRows(this.#fields[field], this.#order, this.#cut(field, batch))),
      );
      const outputs = newShared('f32', sizeOf(type?.shape ?? [])) as Float32Array;
      const arrays: Record<string, Numbers> = { inputs, targets, [OUTPUTS]: outputs };
      const bindings = program.bound.map((key) => arrays[key]);
      totals.add((await program.run(MOMENTS, { bindings })).reports);
      if (type !== undefined) totals.count({ data: outputs, shape: type.shape }, targets);
    }
    return totals.evaluation;
  }
}
