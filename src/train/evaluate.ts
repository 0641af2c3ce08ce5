import type { Store } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import { type Layer, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { massOf } from '../nn/mass.ts';
import type { Metric } from '../nn/metric.ts';
import { fill } from '../ops/fill.ts';
import { batches } from './batches.ts';
import type { DatasetSource } from './source.ts';

/** Rows of one evaluation batch. */
const ROWS = 500;

export interface Evaluation {
  /** Mean over all rows by what they weigh. */
  readonly loss: number;
  /** By their names. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Compiled forward passes over one dataset. */
export class Evaluator {
  /** By rows of a batch: each reports its loss, what it weighs, and the sums of all metrics. */
  readonly #programs = new Map<number, Program>();
  readonly #source: DatasetSource;
  readonly #metrics: readonly Metric[];
  /** Sums of each metric. */
  #counts: readonly number[] = [];

  constructor(
    store: Store,
    model: Layer,
    { loss, metrics }: { loss: Loss; metrics: readonly Metric[] },
    source: DatasetSource,
  ) {
    this.#source = source;
    this.#metrics = metrics;
    for (const { rows } of batches(source.dataset.count, ROWS)) {
      if (this.#programs.has(rows)) continue;
      const graph = new Graph();
      const { inputs, targets } = source.trace(graph, rows);
      const output = model(inputs, new Scope(graph, false));
      const mass = massOf(loss, targets, rows);
      const sums = metrics.map((metric) => metric.sums(output, targets));
      this.#counts = sums.map(({ length }) => length);
      const reports = [
        loss.trace(output, targets, mass.shares),
        typeof mass.sum === 'number' ? fill(graph, [], mass.sum) : mass.sum,
        ...sums.flat(),
      ];
      source.checkIndices(graph);
      this.#programs.set(rows, new Program(compile(graph, { reports }), store));
    }
  }

  async run(): Promise<Evaluation> {
    const width = this.#counts.reduce((sum, count) => sum + count, 2);
    const total = { loss: 0, weight: 0, sums: new Float64Array(width - 2) };
    for (const [rows, program] of this.#programs) {
      const moments = batches(this.#source.dataset.count, ROWS)
        .filter((batch) => batch.rows === rows)
        .map(({ offset }) => ({ step: 1, epoch: 0, seed: 0, offset }));
      const { reports } = await program.run(moments);
      for (let at = 0; at < reports.length; at += width) {
        const [loss, weight, ...sums] = reports.subarray(at, at + width);
        total.loss += loss * weight;
        total.weight += weight;
        sums.forEach((x, i) => {
          total.sums[i] += x;
        });
      }
    }
    let from = 0;
    const metrics = this.#metrics.map(({ name, of }, i) => {
      const own = total.sums.subarray(from, from + this.#counts[i]);
      from += this.#counts[i];
      return [name, of([...own])];
    });
    return { loss: total.loss / total.weight, metrics: Object.fromEntries(metrics) };
  }
}
