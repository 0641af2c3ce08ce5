import { newShared } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import type { AnyDataset } from '../data/dataset.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { sizeOf, type TensorType } from '../graph/types.ts';
import { Scope } from '../nn/layer.ts';
import { batches } from './batches.ts';
import { type Criteria, type Evaluation, OUTPUTS, ROWS, Totals, traceBatch } from './evaluate.ts';
import { checkIndices, indicesOf } from './indices.ts';
import { dtypeOf, formOf, seen } from './input-form.ts';
import { checkFit, type ModelOnStore, shared } from './predictor.ts';
import { targetsOf } from './source.ts';

const [INPUTS, TARGETS] = ['inputs', 'targets'];
const MOMENTS = [{ step: 1, epoch: 0, seed: 0, offset: 0 }];

/** Compiled forward passes over a dataset that stays where it is: a batch at a time is handed over. */
export class Examination {
  readonly #dataset: AnyDataset;
  readonly #criteria: Criteria;
  readonly #programs = new Map<number, Program>();
  readonly #outputs = new Map<number, TensorType | undefined>();
  #counts: readonly number[] = [];

  constructor(on: ModelOnStore, dataset: AnyDataset, criteria: Criteria) {
    this.#dataset = dataset;
    this.#criteria = criteria;
    const form = formOf(dataset);
    const targets = targetsOf(dataset);
    const normalise =
      form.normalise ?? (form.dtype === on.form.dtype ? on.form.normalise : undefined);
    for (const { rows } of batches(dataset.count, ROWS)) {
      if (this.#programs.has(rows)) continue;
      const graph = new Graph();
      const scope = new Scope(graph, false);
      const raw = graph.bound(INPUTS, { dtype: form.dtype, shape: [rows, ...form.shape] });
      const batch = {
        inputs: seen(raw, { normalise }),
        targets: graph.bound(TARGETS, {
          dtype: dtypeOf(targets.data),
          shape: [rows, ...targets.shape],
        }),
      };
      const { reports, counts, outputs } = traceBatch(on.model, criteria, batch, scope);
      checkFit(on.store, scope, form.shape);
      this.#counts = counts;
      this.#outputs.set(rows, outputs);
      const indices = indicesOf(graph);
      const common = { whose: `${dataset.name} data`, code: 'FLATMIN_DATA' as const };
      checkIndices(indices, { key: INPUTS, ...dataset.inputs, ...common });
      checkIndices(indices, { key: TARGETS, ...targets, ...common });
      this.#programs.set(rows, new Program(compile(graph, { reports }), on.store));
    }
  }

  /** Whether it is by these. */
  fits({ loss, metrics }: Criteria): boolean {
    const own = this.#criteria;
    const same = metrics.length === own.metrics.length;
    return loss === own.loss && same && metrics.every((metric, i) => metric === own.metrics[i]);
  }

  async run(): Promise<Evaluation> {
    const totals = new Totals(this.#criteria.metrics, this.#counts);
    const { inputs, count } = this.#dataset;
    const targets = targetsOf(this.#dataset);
    for (const { offset, rows } of batches(count, ROWS)) {
      const program = this.#programs.get(rows) as Program;
      const of = ({ data, shape }: { data: Numbers; shape: readonly number[] }) => {
        const width = sizeOf(shape);
        return shared(data.subarray(offset * width, (offset + rows) * width) as Float32Array);
      };
      const type = this.#outputs.get(rows);
      const outputs = newShared('f32', sizeOf(type?.shape ?? [])) as Float32Array;
      const batch: Record<string, Numbers> = {
        [INPUTS]: of(inputs),
        [TARGETS]: of(targets),
        [OUTPUTS]: outputs,
      };
      const bindings = program.bound.map((key) => batch[key]);
      totals.add((await program.run(MOMENTS, { bindings })).reports);
      if (type !== undefined) totals.count({ data: outputs, shape: type.shape }, batch[TARGETS]);
    }
    return totals.evaluation;
  }
}
