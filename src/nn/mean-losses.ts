import { checkNames, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import * as ops from '../ops/index.ts';
import { sampleLabels } from '../ops/sample_labels.ts';
import { sampleNormal } from '../ops/sample_normal.ts';
import { byRow, expectAlike, type Loss, unitRows, weightedSum } from './loss.ts';
import type { TracedMetric } from './metric.ts';

/** Numbers of a row. */
const outputsOf = ({ shape, size }: Value): number => size / shape[0];

/** Mean over rows and outputs of what `pointwise` makes of each output and its target. */
const meanOf =
  (name: string, pointwise: (output: Value, target: Value) => Value): Loss['trace'] =>
  (output, targets, shares) => {
    expectAlike(name, output, targets);
    return weightedSum(pointwise(output, targets), shares, 1 / outputsOf(output));
  };

/** Roots of a Fisher that is diagonal in each row, from the roots of its diagonal. */
const diagonalRoots = (output: Value, roots: Value, shares: Value | undefined): Value[] =>
  unitRows(output).map((e) => {
    const own = ops.mul(ops.reshape(e, output.shape), roots);
    return shares === undefined ? ops.affine(own, 1 / output.shape[0]) : byRow(own, shares);
  });

/** A Fisher of every row that is `curvature` · I. */
const constantFisher = (
  curvature: (outputs: number) => number,
): Required<Pick<Loss, 'fisherRoots' | 'fisherProduct'>> => ({
  fisherRoots: (output, shares) => {
    const root = Math.sqrt(curvature(outputsOf(output)));
    return diagonalRoots(output, ops.fill(output.graph, output.shape, root), shares);
  },
  fisherProduct: (output, a, b, shares) =>
    weightedSum(ops.mul(a, b), shares, curvature(outputsOf(output))),
});

/**
 * Mean over rows and outputs of (f − y)², PyTorch's `MSELoss`: 2/outputs times `squaredError()`, whose learning rates
 * therefore are others for more than two outputs. Targets are numbers shaped as the output, f32, from a dataset with
 * `targets`; else `FLATMIN_SHAPE`. It is −log N(y; f, outputs/2 · I) but for a constant, and its Fisher its curvature.
 */
export const meanSquaredError = (): Loss => ({
  name: 'meanSquaredError',
  targets: 'values',
  trace: meanOf('meanSquaredError', (f, y) => ops.square(ops.sub(f, y))),
  sample: (output) => {
    const deviation = Math.sqrt(outputsOf(output) / 2);
    return ops.affine(sampleNormal(ops.affine(output, 1 / deviation)), deviation);
  },
  ...constantFisher((outputs) => 2 / outputs),
});

/**
 * Mean over rows and outputs of |f − y|, PyTorch's `L1Loss`; the gradient where they are equal is 0. Targets are numbers
 * shaped as the output, f32, from a dataset with `targets`; else `FLATMIN_SHAPE`. It is −log of Laplace's density of scale
 * `outputs` but for a constant, whose Fisher I/outputs² K-FAC takes: the curvature itself is 0.
 */
export const meanAbsoluteError = (): Loss => ({
  name: 'meanAbsoluteError',
  targets: 'values',
  trace: meanOf('meanAbsoluteError', (f, y) => ops.abs(ops.sub(f, y))),
  // Gradients see no more of a target than on which side it lies, each as likely as the other.
  sample: (output) => sampleNormal(output),
  ...constantFisher((outputs) => 1 / outputs ** 2),
});

/** Options of the Huber loss: where it turns from squares to absolute values. An unknown option is `FLATMIN_ARGUMENT`. */
export interface HuberOptions {
  /** δ > 0: the error from which on the loss grows by its size and no longer by its square. Default 1. */
  readonly delta?: number;
}

/**
 * Mean over rows and outputs of ½e² where |e| = |f − y| ≤ δ and δ(|e| − ½δ) beyond (Huber 1964), PyTorch's `HuberLoss`.
 * Targets are numbers shaped as the output, f32, from a dataset with `targets`; else `FLATMIN_SHAPE`. K-FAC takes it with
 * fisher 'empirical'; 'true' and 'exact', and a damping that adapts, are `FLATMIN_ARGUMENT`.
 */
export function huber(options: HuberOptions = {}): Loss {
  checkNames<HuberOptions>('huber', options, { delta: true });
  const { delta = 1 } = options;
  if (!(typeof delta === 'number' && delta > 0 && Number.isFinite(delta))) {
    throw wrongArgument('delta of huber', 'a finite number above 0', delta);
  }
  const refuse = (): never => {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      "The Fisher of huber is not known. Help: give K-FAC fisher: 'empirical' and no damping that adapts, or take meanSquaredError() or meanAbsoluteError().",
    );
  };
  return {
    name: 'huber',
    targets: 'values',
    trace: meanOf('huber', (f, y) => {
      const error = ops.abs(ops.sub(f, y));
      const near = ops.minimum(error, delta);
      return ops.mul(near, ops.sub(error, ops.affine(near, 0.5)));
    }),
    sample: refuse,
    fisherRoots: refuse,
    fisherProduct: refuse,
  };
}

/** The share of outputs on the side of 0 on which their targets are of ½; NaN is on neither. */
const sides: TracedMetric = {
  name: 'accuracy',
  sums: (output, targets) => {
    const above = ops.mul(ops.greater(output, 0), ops.greaterEqual(targets, 0.5));
    const below = ops.mul(ops.lessEqual(output, 0), ops.less(targets, 0.5));
    return [ops.sum(ops.add(above, below)), ops.fill(output.graph, [], output.size)];
  },
  of: ([right, all]) => right / all,
};

/** σ(x)(1 − σ(x)), the variance of a label. */
const variance = (x: Value): Value => ops.mul(ops.sigmoid(x), ops.sigmoid(ops.neg(x)));

/**
 * Binary cross-entropy with logits: mean over rows and outputs of −y log σ(x) − (1 − y) log(1 − σ(x)), PyTorch's
 * `BCEWithLogitsLoss`, for any number of independent yes-or-no outputs. Targets are numbers from 0 to 1 shaped as the
 * output, f32, from a dataset with `targets`; else `FLATMIN_SHAPE`. Finite for every finite logit, within 1e-7 of the sum.
 * Evaluation tells as `accuracy` the share of outputs whose label is that of σ(x) > ½. Its Fisher is its curvature.
 */
export const binaryCrossEntropy = (): Loss => {
  // ½|x| + log(1 + e^−|x|) is log(1 + e^x) − ½x: nothing overflows, and the slope at 0 is σ(0) − y.
  const trace = meanOf('binaryCrossEntropy', (x, y) => {
    const size = ops.abs(x);
    const linear = ops.add(ops.affine(size, 0.5), ops.mul(x, ops.affine(y, -1, 0.5)));
    return ops.add(linear, ops.log(ops.affine(ops.exp(ops.neg(size)), 1, 1)));
  });
  return {
    name: 'binaryCrossEntropy',
    targets: 'values',
    metrics: [sides],
    trace,
    sample: (output) => {
      const flat = ops.reshape(output, [output.size]);
      const chances = [ops.sigmoid(ops.neg(flat)), ops.sigmoid(flat)];
      const drawn = sampleLabels(ops.stack(chances, 1));
      const [, ones] = ops.split(ops.oneHot(drawn, 2), 2, 1);
      return ops.reshape(ones, output.shape);
    },
    // Gradients of √outputs times the mean over outputs have the mean's curvature as their variance.
    likelihood: (output, sampled, shares) =>
      ops.affine(trace(output, sampled, shares), Math.sqrt(outputsOf(output))),
    fisherRoots: (output, shares) => {
      const roots = ops.sqrt(ops.affine(variance(output), 1 / outputsOf(output)));
      return diagonalRoots(output, roots, shares);
    },
    fisherProduct: (output, a, b, shares) =>
      weightedSum(ops.mul(variance(output), ops.mul(a, b)), shares, 1 / outputsOf(output)),
  };
};
