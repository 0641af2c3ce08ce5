import { checkObject, wrongArgument } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import { fill } from '../ops/fill.ts';
import { sum } from '../ops/reduce.ts';
import { countCorrect } from '../ops/softmax.ts';
import { sign } from '../ops/unary.ts';

/** How good the outputs for a dataset are, as one number made of sums over its batches. */
export interface Metric {
  /** By which `history` has it, as `accuracy`, `f1` or `perplexity`. */
  readonly name: string;
  /** Traces what is added up over batches, [] each, from a batch's output and targets. */
  sums(output: Value, targets: Value): readonly Value[];
  /** The metric of the sums over all batches, in their order. */
  of(sums: readonly number[]): number;
}

/** As a loss tells what rows weigh: those of 0 do not count. */
interface Weighing {
  weights?(targets: Value): Value;
}

/** The share of rows that count in the loss whose largest output is the label's. `FLATMIN_ARGUMENT` for anything but a loss or its weights. */
export function accuracy(loss: Weighing = {}): Metric {
  checkObject('What accuracy takes', loss);
  if (loss.weights !== undefined && typeof loss.weights !== 'function') {
    throw wrongArgument('weights', 'a function of the targets', loss.weights);
  }
  return {
    name: 'accuracy',
    sums: (output, labels) => {
      const weights = loss.weights?.(labels);
      return [
        countCorrect(output, labels, weights),
        weights === undefined ? fill(labels.graph, [], labels.size) : sum(sign(weights)),
      ];
    },
    of: ([correct, counted]) => correct / counted,
  };
}

/** Throws unless these are metrics of different names. */
export function checkMetrics(metrics: readonly Metric[]): void {
  metrics.forEach((metric, i) => {
    const { name, sums, of } = Object(metric) as Partial<Metric>;
    if (typeof name !== 'string' || typeof sums !== 'function' || typeof of !== 'function') {
      throw wrongArgument('A metric', 'an object of name, sums and of', metric);
    }
    if (metrics.findIndex((other) => other.name === name) === i) return;
    throw wrongArgument(
      'The names of metrics',
      'different',
      name,
      'the loss brings its own, as accuracy.',
    );
  });
}
