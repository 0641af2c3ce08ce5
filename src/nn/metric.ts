import { checkObject, wrongArgument } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import type { Shape } from '../graph/types.ts';
import { fill } from '../ops/fill.ts';
import { sum } from '../ops/reduce.ts';
import { countCorrect } from '../ops/softmax.ts';
import { sign } from '../ops/unary.ts';

/** How good the outputs for a dataset are, as one number made of sums over its batches. */
export type Metric = TracedMetric | CountedMetric;

interface NamedMetric {
  /** By which `history` has it, as `accuracy`, `f1` or `perplexity`. */
  readonly name: string;
  /** The metric of the sums over all batches, in their order. */
  of(sums: readonly number[]): number;
}

/** One whose sums are traced, and made on the device. */
export interface TracedMetric extends NamedMetric {
  /** Traces what is added up over batches, [] each, from a batch's output and targets. */
  sums(output: Value, targets: Value): readonly Value[];
}

/** One whose sums are counted on the host, for what no op tells: every batch's outputs come back. */
export interface CountedMetric extends NamedMetric {
  /** What is added up over batches, from a batch's outputs and its targets, [rows, …] both. */
  counts(output: Outputs, targets: Numbers): readonly number[];
}

/** What a model put out for a batch. */
export interface Outputs {
  readonly data: Float32Array;
  readonly shape: Shape;
}

export const isCounted = (metric: Metric): metric is CountedMetric => 'counts' in metric;

/** As a loss tells what rows weigh: those of 0 do not count. */
interface Weighing {
  /** What rows weigh, from their targets: those of 0 do not count. Default all count. */
  weights?(targets: Value): Value;
}

/** The share of rows that count in the loss whose largest output is the label's. `FLATMIN_ARGUMENT` for anything but a loss or its weights. */
export function accuracy(loss: Weighing = {}): TracedMetric {
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
    const { name, sums, counts, of } = Object(metric) as Partial<TracedMetric & CountedMetric>;
    const adds = typeof (counts ?? sums) === 'function';
    if (typeof name !== 'string' || !adds || typeof of !== 'function') {
      throw wrongArgument('A metric', 'an object of name, sums or counts, and of', metric);
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
