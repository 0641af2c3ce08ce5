import { newShared } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import type { AnyDataset } from '../data/dataset.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { sizeOf, type TensorType } from '../graph/types.ts';
import { Scope } from '../nn/layer.ts';
import { type Batch, shapeOf } from './batches.ts';
import { type Criteria, type Evaluation, OUTPUTS, Totals, traceBatch } from './evaluate.ts';
import { HandedData } from './handed.ts';
import { checkFit, type ModelOnStore } from './predictor.ts';

const MOMENTS = [{ step: 1, epoch: 0, seed: 0, offset: 0 }];

/** A compiled forward pass over a batch. */
interface Pass {
  readonly program: Program;
  readonly outputs: TensorType | undefined;
}

/** Compiled forward passes over a dataset that stays where it is. */
export class Examination {
  readonly #metrics: Criteria['metrics'];
  readonly #data: HandedData;
  readonly #passes = new Map<string, Pass>();
  /** Traced sums of each metric. */
  #counts: readonly number[] = [];

  constructor(on: ModelOnStore, dataset: AnyDataset, criteria: Criteria) {
    this.#metrics = criteria.metrics;
    this.#data = new HandedData(on, dataset);
    for (const batch of this.#data.batches) {
      const shape = shapeOf(batch);
      if (!this.#passes.has(shape))
        this.#passes.set(shape, this.#pass(on, dataset, criteria, batch));
    }
  }

  #pass(on: ModelOnStore, dataset: AnyDataset, criteria: Criteria, batch: Batch): Pass {
    const graph = new Graph();
    const scope = new Scope(graph, false);
    const given = this.#data.trace(graph, batch);
    const { reports, counts, outputs } = traceBatch(on.model, criteria, given, scope);
    checkFit(on.store, scope, dataset.inputs.shape);
    this.#counts = counts;
    this.#data.checkIndices(graph);
    return { program: new Program(compile(graph, { reports }), on.store), outputs };
  }

  async run(): Promise<Evaluation> {
    const totals = new Totals(this.#metrics, this.#counts);
    for (const batch of this.#data.batches) {
      const { program, outputs: type } = this.#passes.get(shapeOf(batch)) as Pass;
      const outputs = newShared('f32', sizeOf(type?.shape ?? [])) as Float32Array;
      const arrays: Record<string, Numbers> = { ...this.#data.arrays(batch), [OUTPUTS]: outputs };
      const bindings = program.bound.map((key) => arrays[key]);
      totals.add((await program.run(MOMENTS, { bindings })).reports);
      if (type !== undefined) totals.count({ data: outputs, shape: type.shape }, arrays.targets);
    }
    return totals.evaluation;
  }
}
