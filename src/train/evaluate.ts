import type { Store } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import { type Layer, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { massOf } from '../nn/mass.ts';
import { fill } from '../ops/fill.ts';
import { sum } from '../ops/reduce.ts';
import { countCorrect } from '../ops/softmax.ts';
import { sign } from '../ops/unary.ts';
import { batches } from './batches.ts';
import type { DatasetSource } from './source.ts';

/** Rows of one evaluation batch. */
const ROWS = 500;

export interface Evaluation {
  /** Mean over all rows by what they weigh. */
  readonly loss: number;
  /** Share of rows that count whose largest output is the label's; none of numbers to predict. */
  readonly accuracy?: number;
}

/** Compiled forward passes over one dataset. */
export class Evaluator {
  /** By rows of a batch: each reports its loss, what it weighs, how many labels count and how many are right. */
  readonly #programs = new Map<number, Program>();
  readonly #source: DatasetSource;
  readonly #classes: boolean;

  constructor(store: Store, model: Layer, loss: Loss, source: DatasetSource) {
    this.#source = source;
    this.#classes = loss.targets !== 'values';
    for (const { rows } of batches(source.dataset.count, ROWS)) {
      if (this.#programs.has(rows)) continue;
      const graph = new Graph();
      const { inputs, targets } = source.trace(graph, rows);
      const output = model(inputs, new Scope(graph, false));
      const number = (x: number) => fill(graph, [], x);
      const weights = loss.weights?.(targets);
      const mass = massOf(loss, targets, rows);
      const reports = [
        loss.trace(output, targets, mass.shares),
        typeof mass.sum === 'number' ? number(mass.sum) : mass.sum,
        weights === undefined ? number(targets.size) : sum(sign(weights)),
        this.#classes ? countCorrect(output, targets) : number(0),
      ];
      source.checkIndices(graph);
      this.#programs.set(rows, new Program(compile(graph, { reports }), store));
    }
  }

  async run(): Promise<Evaluation> {
    const total = { loss: 0, weight: 0, counted: 0, correct: 0 };
    for (const [rows, program] of this.#programs) {
      const moments = batches(this.#source.dataset.count, ROWS)
        .filter((batch) => batch.rows === rows)
        .map(({ offset }) => ({ step: 1, epoch: 0, seed: 0, offset }));
      const { reports } = await program.run(moments);
      for (let at = 0; at < reports.length; at += 4) {
        const [loss, weight, counted, correct] = reports.subarray(at, at + 4);
        total.loss += loss * weight;
        total.weight += weight;
        total.counted += counted;
        total.correct += correct;
      }
    }
    const loss = total.loss / total.weight;
    return { loss, ...(this.#classes && { accuracy: total.correct / total.counted }) };
  }
}
