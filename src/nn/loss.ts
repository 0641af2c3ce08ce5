import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { type Shape, sameShape, showType, sizeOf } from '../graph/types.ts';
import * as ops from '../ops/index.ts';
import { sampleNormal } from '../ops/sample_normal.ts';
import { accuracy, type Metric } from './metric.ts';

/** A scalar to minimise, a mean over the rows of a batch: Σ weight · loss of a row / Σ weight. */
export interface Loss {
  /** As errors call it. */
  readonly name: string;
  /** What a batch's targets are: a class index a row, or numbers shaped as the output. Default `labels`. */
  readonly targets?: 'labels' | 'values';
  /**
   * What each row weighs, where not all weigh the same: [rows], numbers ≥ 0, each from its own targets. Micro-batches,
   * steps of an epoch and batches of an evaluation weigh in a mean what their rows do together.
   */
  weights?(targets: Value): Value;
  /** What evaluation tells beside the loss. Default accuracy, nothing where targets are `values`. */
  readonly metrics?: readonly Metric[];
  /** [] from the model's output, the targets of the batch, and, with `weights` here or in the dataset, each row's share of their sum. */
  trace(output: Value, targets: Value, shares?: Value): Value;
  /** Targets drawn from the distribution that the output stands for: the true Fisher's labels. */
  sample(output: Value): Value;
  /** −log-likelihood of such targets, where `trace` is not that of any: the true Fisher is of its gradients. */
  likelihood?(output: Value, sampled: Value, shares?: Value): Value;
  /**
   * Vectors d shaped as the output, of which Σ ddᵀ is the Fisher of each row by the output, d times the row's share
   * (without `weights` 1/rows) as the gradients of a mean are: the exact Fisher's.
   */
  fisherRoots?(output: Value, shares?: Value): Value[];
  /** [] the mean over rows of aᵀ F b, F the Fisher of a row by the output, a and b shaped as the output. */
  fisherProduct?(output: Value, a: Value, b: Value, shares?: Value): Value;
}

/** What a loss is evaluated with beside itself: its own metrics, or the accuracy of classes. */
export const metricsOf = (loss: Loss): readonly Metric[] =>
  loss.metrics ?? (loss.targets === 'values' ? [] : [accuracy(loss)]);

/**
 * Mean over rows of ½‖f − y‖², summed over the outputs of a row: −log N(y; f, I) but for a constant. The gradient of a
 * row is (f − y)/rows. PyTorch's `MSELoss`, `meanSquaredError()` here, is 2/outputs times it. Targets are numbers shaped as the output, from a
 * dataset with `targets`.
 */
export const squaredError = (): Loss => ({
  name: 'squaredError',
  targets: 'values',
  trace: (output, targets, shares) => {
    expectAlike('squaredError', output, targets);
    return weightedSum(ops.square(ops.sub(output, targets)), shares, 0.5);
  },
  sample: (output) => sampleNormal(output),
  fisherRoots: (output, shares) =>
    unitRows(output).map((e) =>
      ops.reshape(
        shares === undefined ? ops.affine(e, 1 / output.shape[0]) : byRow(e, shares),
        output.shape,
      ),
    ),
  fisherProduct: (_, a, b, shares) => weightedSum(ops.mul(a, b), shares),
});

/** Throws unless targets are numbers shaped as the output. */
export function expectAlike(name: string, output: Value, targets: Value): void {
  if (targets.dtype === 'f32' && sameShape(output.shape, targets.shape)) return;
  throw new FlatminError(
    'FLATMIN_SHAPE',
    `${name} expects targets ${showType(output.type)}, as the output, got ${showType(targets.type)}. Help: give the dataset targets: { data, shape }.`,
  );
}

/** `factor` · Σ over rows [rows, …] of each one's share of them, by default 1/rows. */
export const weightedSum = (x: Value, shares: Value | undefined, factor = 1): Value =>
  shares === undefined
    ? ops.affine(ops.sum(x), factor / x.shape[0])
    : ops.affine(ops.sum(byRow(x, shares)), factor);

/** [rows, …] times a number a row. */
export const byRow = (x: Value, numbers: Value): Value =>
  ops.mul(x, ops.reshape(numbers, [x.shape[0], ...x.shape.slice(1).map(() => 1)]));

/** For every output of a row: [rows, outputs] with 1 in its column and 0 elsewhere. */
export function unitRows({ graph, shape }: Value): Value[] {
  const rows: Shape = [shape[0], sizeOf(shape.slice(1))];
  return Array.from({ length: rows[1] }, (_, k) => {
    const ones = Array.from({ length: rows[1] }, (_, c) => (c === k ? 1 : 0));
    return ops.normalise(ops.fill(graph, rows, 0), { scale: ones, shift: ones });
  });
}
