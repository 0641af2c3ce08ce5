import type { Store } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import { compile } from '../graph/compile.ts';
import { Graph, type Value } from '../graph/graph.ts';
import { type Layer, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { massOf } from '../nn/mass.ts';
import type { Metric } from '../nn/metric.ts';
import { fill } from '../ops/fill.ts';
import { batches } from './batches.ts';
import type { DatasetSource } from './source.ts';

/** Rows of one evaluation batch. */
export const ROWS = 500;

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

/** Reports of a batch: its loss, what it weighs, and the sums of all metrics, so many of each. */
interface Traced {
  readonly reports: readonly Value[];
  readonly counts: readonly number[];
}

export function traceBatch(
  model: Layer,
  { loss, metrics }: Criteria,
  { inputs, targets }: { inputs: Value; targets: Value },
  scope: Scope,
): Traced {
  const output = model(inputs, scope);
  const mass = massOf(loss, targets, inputs.shape[0]);
  const sums = metrics.map((metric) => metric.sums(output, targets));
  const weight = typeof mass.sum === 'number' ? fill(inputs.graph, [], mass.sum) : mass.sum;
  return {
    reports: [loss.trace(output, targets, mass.shares), weight, ...sums.flat()],
    counts: sums.map(({ length }) => length),
  };
}

/** Adds up the reports of batches. */
export class Totals {
  readonly #metrics: readonly Metric[];
  readonly #counts: readonly number[];
  readonly #sums: Float64Array;
  #loss = 0;
  #weight = 0;

  constructor(metrics: readonly Metric[], counts: readonly number[]) {
    this.#metrics = metrics;
    this.#counts = counts;
    this.#sums = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
  }

  add(reports: Float32Array): void {
    const width = this.#sums.length + 2;
    for (let at = 0; at < reports.length; at += width) {
      const [loss, weight, ...sums] = reports.subarray(at, at + width);
      this.#loss += loss * weight;
      this.#weight += weight;
      sums.forEach((x, i) => {
        this.#sums[i] += x;
      });
    }
  }

  get evaluation(): Evaluation {
    let from = 0;
    const metrics = this.#metrics.map(({ name, of }, i) => {
      const own = this.#sums.subarray(from, from + this.#counts[i]);
      from += this.#counts[i];
      return [name, of([...own])];
    });
    return { loss: this.#loss / this.#weight, metrics: Object.fromEntries(metrics) };
  }
}

/** Compiled forward passes over a dataset that lies in the store. */
export class Evaluator {
  /** By rows of a batch. */
  readonly #programs = new Map<number, Program>();
  readonly #source: DatasetSource;
  readonly #metrics: readonly Metric[];
  /** Sums of each metric. */
  #counts: readonly number[] = [];

  constructor(store: Store, model: Layer, criteria: Criteria, source: DatasetSource) {
    this.#source = source;
    this.#metrics = criteria.metrics;
    for (const { rows } of batches(source.dataset.count, ROWS)) {
      if (this.#programs.has(rows)) continue;
      const graph = new Graph();
      const batch = source.trace(graph, rows);
      const { reports, counts } = traceBatch(model, criteria, batch, new Scope(graph, false));
      this.#counts = counts;
      source.checkIndices(graph);
      this.#programs.set(rows, new Program(compile(graph, { reports }), store));
    }
  }

  async run(): Promise<Evaluation> {
    const totals = new Totals(this.#metrics, this.#counts);
    for (const [rows, program] of this.#programs) {
      const moments = batches(this.#source.dataset.count, ROWS)
        .filter((batch) => batch.rows === rows)
        .map(({ offset }) => ({ step: 1, epoch: 0, seed: 0, offset }));
      totals.add((await program.run(moments)).reports);
    }
    return totals.evaluation;
  }
}
