import type { Value } from '../graph/graph.ts';
import * as ops from '../ops/index.ts';
import { sampleLabels } from '../ops/sample_labels.ts';

/** A scalar to minimise, a mean over the rows of a batch. */
export interface Loss {
  readonly name: string;
  /** [] from the model's output and the targets of the batch. */
  trace(output: Value, targets: Value): Value;
  /** Targets drawn from the distribution that the output stands for: the true Fisher's labels. */
  sample(output: Value): Value;
}

/** Mean of −log softmax(logits)[label] over logits [rows, classes] and one label a row. */
export const crossEntropy = (): Loss => ({
  name: 'crossEntropy',
  trace: (logits, labels) => ops.crossEntropy(logits, labels),
  sample: (logits) => sampleLabels(ops.softmax(logits)),
});
