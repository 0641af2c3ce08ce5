import * as ops from '../ops/index.ts';
import { rowWeights } from '../ops/sequence.ts';
import type { TracedMetric } from './metric.ts';

/**
 * e to the mean of −log softmax(logits)[label] over labels that are not −1, of logits [batch, steps, classes] and labels
 * i32 [batch, steps]: among how many equally likely tokens the model is as undecided.
 */
export const perplexity = (): TracedMetric => ({
  name: 'perplexity',
  sums: (logits, labels) => {
    const counted = rowWeights(ops.reshape(labels, [-1]));
    return [ops.crossEntropy(logits, labels, counted), ops.sum(counted)];
  },
  of: ([surprise, count]) => Math.exp(surprise / count),
});
