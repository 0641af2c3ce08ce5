import { newShared, type Store } from '../backend/backend.ts';
import type { Pace } from '../backend/pace.ts';
import { Program } from '../backend/program.ts';
import { compile } from '../graph/compile.ts';
import { Graph, type Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { sizeOf, type TensorType } from '../graph/types.ts';
import { type Layer, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { type Judged, massOf } from '../nn/mass.ts';
import { isCounted, type Metric, type Outputs } from '../nn/metric.ts';
import { assign } from '../ops/assign.ts';
import { fill } from '../ops/fill.ts';
import { type Batch, batches, shapeOf } from './batches.ts';
import type { DatasetSource } from './source.ts';

/** Rows of one evaluation batch. */
export const ROWS = 500;
/** Of sequences, of which there is a program for each length. */
export const SEQUENCES = 64;

/** Loss and metrics of a dataset. */
export interface Evaluation {
  /** Mean over all rows by what they weigh. */
  readonly loss: number;
  /** By their names. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What outputs are judged by. */
export interface Criteria {
  readonly loss: Loss;
  readonly metrics: readonly Metric[];
}

/** Reports of a batch: its loss, what it weighs, and the sums of all traced metrics, so many of each. */
interface Traced {
  readonly reports: readonly Value[];
  readonly counts: readonly number[];
  /** Of the outputs, where a metric counts them: they go to the bound buffer `OUTPUTS`. */
  readonly outputs: TensorType | undefined;
}

export const OUTPUTS = 'outputs';

export function traceBatch(
  model: Layer,
  { loss, metrics }: Criteria,
  { inputs, targets, weights }: Judged & { readonly inputs: Value },
  scope: Scope,
): Traced {
  const { graph } = inputs;
  const output = model(inputs, scope);
  const mass = massOf(loss, { targets, weights }, inputs.shape[0]);
  const sums = metrics.map((metric) => (isCounted(metric) ? [] : metric.sums(output, targets)));
  const weight = typeof mass.sum === 'number' ? fill(graph, [], mass.sum) : mass.sum;
  const counted = metrics.some(isCounted);
  if (counted) assign([graph.bound(OUTPUTS, output.type)], [output]);
  return {
    reports: [loss.trace(output, targets, mass.shares), weight, ...sums.flat()],
    counts: sums.map(({ length }) => length),
    outputs: counted ? output.type : undefined,
  };
}

/** Adds up the reports of batches, and what metrics count of their outputs. */
export class Totals {
  readonly #metrics: readonly Metric[];
  /** Of each metric. */
  readonly #sums: number[][];
  #loss = 0;
  #weight = 0;

  /** `counts` are the sums that are traced for each metric. */
  constructor(metrics: readonly Metric[], counts: readonly number[]) {
    this.#metrics = metrics;
    this.#sums = counts.map((count) => Array(count).fill(0));
  }

  /** The reports of one or more batches. */
  add(reports: Float32Array): void {
    for (let at = 0; at < reports.length; ) {
      const [loss, weight] = reports.subarray(at, at + 2);
      this.#loss += loss * weight;
      this.#weight += weight;
      at += 2;
      this.#metrics.forEach((metric, m) => {
        if (isCounted(metric)) return;
        const sums = this.#sums[m];
        for (let i = 0; i < sums.length; i++) sums[i] += reports[at++];
      });
    }
  }

  /** The outputs of one batch. */
  count(outputs: Outputs, targets: Numbers): void {
    this.#metrics.forEach((metric, m) => {
      if (!isCounted(metric)) return;
      const before = this.#sums[m];
      this.#sums[m] = metric.counts(outputs, targets).map((x, i) => (before[i] ?? 0) + x);
    });
  }

  get evaluation(): Evaluation {
    const metrics = this.#metrics.map(({ name, of }, m) => [name, of(this.#sums[m])]);
    return { loss: this.#loss / this.#weight, metrics: Object.fromEntries(metrics) };
  }
}

/** A compiled forward pass over batches of one shape. */
interface Pass {
  readonly program: Program;
  readonly outputs: TensorType | undefined;
  readonly batches: Batch[];
}

/** Compiled forward passes over a dataset that lies in the store; sequences that may be cut by their lengths. */
export class Evaluator {
  readonly #passes = new Map<string, Pass>();
  readonly #source: DatasetSource;
  readonly #order: Int32Array;
  readonly #metrics: readonly Metric[];
  /** Traced sums of each metric. */
  #counts: readonly number[] = [];

  constructor(store: Store, model: Layer, criteria: Criteria, source: DatasetSource) {
    const { dataset, lengths } = source;
    this.#source = source;
    this.#metrics = criteria.metrics;
    this.#order = lengths?.sorted ?? Int32Array.from({ length: dataset.count }, (_, i) => i);
    const plain = batches(dataset.count, lengths === undefined ? ROWS : SEQUENCES);
    const all = lengths?.padded(this.#order, plain) ?? plain;
    source.setOrder(this.#order, all);
    for (const batch of all) {
      const known = this.#passes.get(shapeOf(batch));
      if (known !== undefined) {
        known.batches.push(batch);
        continue;
      }
      const graph = new Graph();
      const traced = traceBatch(
        model,
        criteria,
        source.trace(graph, { ...batch, offset: 0 }),
        new Scope(graph, false),
      );
      this.#counts = traced.counts;
      source.checkIndices(graph);
      const program = new Program(compile(graph, { reports: traced.reports }), store);
      this.#passes.set(shapeOf(batch), { program, outputs: traced.outputs, batches: [batch] });
    }
  }

  async run(pace: Pace): Promise<Evaluation> {
    const totals = new Totals(this.#metrics, this.#counts);
    for (const { program, outputs: type, batches } of this.#passes.values()) {
      const moments = batches.map(({ offset }) => ({ step: 1, epoch: 0, seed: 0, offset }));
      if (type === undefined) {
        totals.add((await program.run(moments, { pace })).reports);
        continue;
      }
      const data = newShared('f32', sizeOf(type.shape)) as Float32Array;
      for (const [i, batch] of batches.entries()) {
        totals.add((await program.run([moments[i]], { bindings: [data], pace })).reports);
        totals.count({ data, shape: type.shape }, this.#source.targets(this.#order, batch));
      }
    }
    return totals.evaluation;
  }
}
