import type { Store } from '../backend/backend.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import { type Layer, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { sum } from '../ops/reduce.ts';
import { countCorrect } from '../ops/softmax.ts';
import { sign } from '../ops/unary.ts';
import { batches } from './batches.ts';
import type { DatasetSource } from './source.ts';

/** Rows of one evaluation batch. */
const ROWS = 500;

export interface Evaluation {
  /** Mean over all rows that count. */
  readonly loss: number;
  /** Share of rows that count whose largest output is the label's; none of numbers to predict. */
  readonly accuracy?: number;
}

/** Compiled forward passes over one dataset. */
export class Evaluator {
  /** By rows of a batch; `labelled`: how many of its output there are. */
  readonly #programs = new Map<number, { program: Program; labelled: number }>();
  readonly #source: DatasetSource;
  readonly #weighted: boolean;
  readonly #classes: boolean;

  constructor(store: Store, model: Layer, loss: Loss, source: DatasetSource) {
    this.#source = source;
    this.#weighted = loss.weights !== undefined;
    this.#classes = loss.targets !== 'values';
    for (const { rows } of batches(source.dataset.count, ROWS)) {
      if (this.#programs.has(rows)) continue;
      const graph = new Graph();
      const { inputs, targets } = source.trace(graph, rows);
      const output = model(inputs, new Scope(graph, false));
      const weights = loss.weights?.(targets);
      const reports = [
        loss.trace(output, targets, weights),
        ...(this.#classes ? [countCorrect(output, targets)] : []),
        ...(weights === undefined ? [] : [sum(sign(weights))]),
      ];
      const program = new Program(compile(graph, { reports }), store);
      this.#programs.set(rows, { program, labelled: this.#classes ? targets.size : rows });
    }
  }

  async run(): Promise<Evaluation> {
    const width = 1 + Number(this.#classes) + Number(this.#weighted);
    let count = 0;
    let loss = 0;
    let correct = 0;
    for (const [rows, { program, labelled }] of this.#programs) {
      const moments = batches(this.#source.dataset.count, ROWS)
        .filter((batch) => batch.rows === rows)
        .map(({ offset }) => ({ step: 1, epoch: 0, seed: 0, offset }));
      const { reports } = await program.run(moments);
      for (let i = 0; i < reports.length; i += width) {
        const counted = this.#weighted ? reports[i + width - 1] : labelled;
        count += counted;
        loss += reports[i] * counted;
        if (this.#classes) correct += reports[i + 1];
      }
    }
    return { loss: loss / count, ...(this.#classes && { accuracy: correct / count }) };
  }
}
