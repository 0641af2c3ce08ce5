import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { type Shape, sameShape, showType, sizeOf } from '../graph/types.ts';
import * as ops from '../ops/index.ts';
import { sampleLabels } from '../ops/sample_labels.ts';
import { sampleNormal } from '../ops/sample_normal.ts';

/** A scalar to minimise, a mean over the rows of a batch. */
export interface Loss {
  readonly name: string;
  /** What a batch's targets are: a class index a row, or numbers shaped as the output. Default `labels`. */
  readonly targets?: 'labels' | 'values';
  /** [] from the model's output and the targets of the batch. */
  trace(output: Value, targets: Value): Value;
  /** Targets drawn from the distribution that the output stands for: the true Fisher's labels. */
  sample(output: Value): Value;
  /**
   * Vectors d shaped as the output, of which Σ ddᵀ is the Fisher of each row by the output, divided by the number of
   * rows as the gradients of a mean are: the exact Fisher's.
   */
  fisherRoots?(output: Value): Value[];
  /** [] the mean over rows of aᵀ F b, F the Fisher of a row by the output, a and b shaped as the output. */
  fisherProduct?(output: Value, a: Value, b: Value): Value;
}

/** Mean of −log softmax(logits)[label] over logits [rows, classes] and one label a row. */
export const crossEntropy = (): Loss => ({
  name: 'crossEntropy',
  trace: (logits, labels) => ops.crossEntropy(logits, labels),
  sample: (logits) => sampleLabels(ops.softmax(logits)),
  // Label c has probability p_c and the gradient p − e_c.
  fisherRoots: (logits) => {
    const p = ops.softmax(logits);
    return unitRows(logits).map((e) => {
      const own = ops.sum(ops.mul(p, e), [1], { keepDims: true });
      return ops.mul(ops.affine(ops.sqrt(own), 1 / logits.shape[0]), ops.sub(p, e));
    });
  },
  // The covariance of a and b under p.
  fisherProduct: (logits, a, b) => {
    const p = ops.softmax(logits);
    const centred = (x: Value) => ops.sub(x, ops.sum(ops.mul(p, x), [1], { keepDims: true }));
    const products = ops.mul(p, ops.mul(centred(a), centred(b)));
    return ops.affine(ops.sum(products), 1 / logits.shape[0]);
  },
});

/**
 * Mean over rows of ½‖f − y‖², summed over the outputs of a row: −log N(y; f, I) but for a constant. The gradient of a
 * row is (f − y)/rows. PyTorch's `MSELoss` is 2/outputs times it. Targets are numbers shaped as the output, from a
 * dataset with `targets`.
 */
export const squaredError = (): Loss => ({
  name: 'squaredError',
  targets: 'values',
  trace: (output, targets) => {
    if (targets.dtype !== 'f32' || !sameShape(output.shape, targets.shape)) {
      throw new FlatminError(
        'FLATMIN_SHAPE',
        `squaredError expects targets ${showType(output.type)}, as the output, got ${showType(targets.type)}. Help: give the dataset targets: { data, shape }.`,
      );
    }
    const total = ops.sum(ops.square(ops.sub(output, targets)));
    return ops.affine(total, 0.5 / output.shape[0]);
  },
  sample: (output) => sampleNormal(output),
  fisherRoots: (output) =>
    unitRows(output).map((e) => ops.reshape(ops.affine(e, 1 / output.shape[0]), output.shape)),
  fisherProduct: (output, a, b) => ops.affine(ops.sum(ops.mul(a, b)), 1 / output.shape[0]),
});

/** For every output of a row: [rows, outputs] with 1 in its column and 0 elsewhere. */
function unitRows({ graph, shape }: Value): Value[] {
  const rows: Shape = [shape[0], sizeOf(shape.slice(1))];
  return Array.from({ length: rows[1] }, (_, k) => {
    const ones = Array.from({ length: rows[1] }, (_, c) => (c === k ? 1 : 0));
    return ops.normalise(ops.fill(graph, rows, 0), { scale: ones, shift: ones });
  });
}
