import type { Store } from '../backend/backend.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import { type Layer, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { countCorrect } from '../ops/softmax.ts';
import { batches } from './batches.ts';
import type { DatasetSource } from './source.ts';

/** Rows of one evaluation batch. */
const ROWS = 500;

export interface Evaluation {
  /** Mean over all rows. */
  readonly loss: number;
  /** Share of rows whose largest output is the label's; none of numbers to predict. */
  readonly accuracy?: number;
}

/** Compiled forward passes over one dataset. */
export class Evaluator {
  readonly #programs = new Map<number, Program>();
  readonly #source: DatasetSource;
  /** Reports of a batch. */
  #width = 0;

  constructor(store: Store, model: Layer, loss: Loss, source: DatasetSource) {
    this.#source = source;
    for (const { rows } of batches(source.dataset.count, ROWS)) {
      if (this.#programs.has(rows)) continue;
      const graph = new Graph();
      const { inputs, targets } = source.trace(graph, rows);
      const output = model(inputs, new Scope(graph, false));
      const correct = loss.targets === 'values' ? [] : [countCorrect(output, targets)];
      const reports = [loss.trace(output, targets), ...correct];
      this.#width = reports.length;
      this.#programs.set(rows, new Program(compile(graph, { reports }), store));
    }
  }

  async run(): Promise<Evaluation> {
    const { count } = this.#source.dataset;
    let loss = 0;
    let correct = 0;
    for (const [rows, program] of this.#programs) {
      const moments = batches(count, ROWS)
        .filter((batch) => batch.rows === rows)
        .map(({ offset }) => ({ step: 1, epoch: 0, seed: 0, offset }));
      const { reports } = await program.run(moments);
      for (let i = 0; i < reports.length; i += this.#width) {
        loss += reports[i] * rows;
        if (this.#width > 1) correct += reports[i + 1];
      }
    }
    return { loss: loss / count, ...(this.#width > 1 && { accuracy: correct / count }) };
  }
}
