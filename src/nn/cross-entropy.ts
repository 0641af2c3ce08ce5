import { checkNames, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { showType } from '../graph/types.ts';
import * as ops from '../ops/index.ts';
import { sampleLabels } from '../ops/sample_labels.ts';
import { rowWeights } from '../ops/sequence.ts';
import { type Loss, unitRows } from './loss.ts';

/** What `crossEntropy` and `tokenCrossEntropy` take. */
export interface CrossEntropyOptions {
  /** ε: a row's target is (1 − ε) of its class and ε/classes of each (Szegedy et al. 2016). From 0, the default, to 1. */
  readonly labelSmoothing?: number;
  /** What rows of each class weigh, numbers ≥ 0, above 0 with label smoothing; then label −1 weighs nothing. Default 1 each. */
  readonly classWeights?: readonly number[];
}

/**
 * Mean of −log softmax(logits)[label] over logits […, classes] and one label a row. With `classWeights` rows weigh in the
 * mean what their classes do, and with `labelSmoothing` the loss of a row is Σ_c target_c · −log softmax(logits)_c, its
 * terms times what their classes weigh: both as PyTorch's.
 */
export const crossEntropy = (options: CrossEntropyOptions = {}): Loss =>
  entropy('crossEntropy', options);

/**
 * Cross-entropy of tokens: the mean of −log softmax(logits)[label] over the labels of a batch that are not −1, of logits
 * [batch, steps, classes] and labels i32 [batch, steps]. Label −1 is padding: such a step counts nowhere, in accuracy and
 * K-FAC's statistics neither. A batch of padding alone has loss 0. Options as those of `crossEntropy`.
 */
export const tokenCrossEntropy = (options: CrossEntropyOptions = {}): Loss =>
  entropy('tokenCrossEntropy', options, (labels) => rowWeights(ops.reshape(labels, [-1])));

function entropy(name: string, options: CrossEntropyOptions, counts?: Loss['weights']): Loss {
  const { labelSmoothing, classWeights } = checkOptions(name, options);
  const weights = classWeights && ((labels: Value) => perLabel(labels, classWeights));
  const plain: Loss['trace'] = (logits, labels, shares) => {
    expectClasses(name, logits, classWeights);
    return PLAIN.trace(logits, labels, shares);
  };
  const loss: Loss = { ...PLAIN, name, trace: plain };
  if (weights ?? counts) Object.assign(loss, { weights: weights ?? counts });
  if (labelSmoothing === 0) return loss;
  const trace: Loss['trace'] = (logits, labels, shares) => {
    expectClasses(name, logits, classWeights);
    const own = ops.crossEntropy(logits, labels, shares);
    const all = overClasses(logits, labels, { shares, classWeights });
    return ops.add(ops.affine(own, 1 - labelSmoothing), ops.affine(all, labelSmoothing));
  };
  // Targets of a row add up to 1 without class weights, so that its curvature is that of its likelihood.
  if (classWeights === undefined) return { ...loss, trace, likelihood: PLAIN.trace };
  const refuse = (): never => {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `The Fisher of ${name} is not known with both labelSmoothing and classWeights, by which the curvature of a row is not what it weighs. Help: give one of the two, or K-FAC fisher: 'empirical' and no damping that adapts.`,
    );
  };
  return { ...loss, trace, sample: refuse, fisherRoots: refuse, fisherProduct: refuse };
}

function checkOptions(name: string, options: CrossEntropyOptions) {
  checkNames<CrossEntropyOptions>(name, options, { labelSmoothing: true, classWeights: true });
  const { labelSmoothing = 0, classWeights } = options;
  if (!(typeof labelSmoothing === 'number' && labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw wrongArgument(`labelSmoothing of ${name}`, 'a number from 0 to 1', labelSmoothing);
  }
  if (classWeights === undefined) return { labelSmoothing, classWeights };
  const fits = (w: unknown): boolean =>
    typeof w === 'number' && Number.isFinite(w) && (w > 0 || (w === 0 && labelSmoothing === 0));
  if (Array.isArray(classWeights) && classWeights.length > 0 && classWeights.every(fits)) {
    return { labelSmoothing, classWeights: [...classWeights] };
  }
  const range = labelSmoothing > 0 ? 'above 0, since labels are smoothed' : 'of at least 0';
  throw wrongArgument(`classWeights of ${name}`, `a list of finite numbers ${range}`, classWeights);
}

function expectClasses(name: string, { shape, type }: Value, weights?: readonly number[]): void {
  if (weights === undefined || weights.length === shape[shape.length - 1]) return;
  throw new FlatminError(
    'FLATMIN_SHAPE',
    `${name} has ${weights.length} classWeights for logits ${showType(type)}. Help: give one for each class.`,
  );
}

/** [rows], a number for each label's class; 0 for label −1. */
function perLabel(labels: Value, numbers: readonly number[]): Value {
  const flat = ops.reshape(labels, [-1]);
  return ops.sum(ops.mul(ops.oneHot(flat, numbers.length), row(labels, numbers)), [1]);
}

/** Numbers of classes, [1, classes]. */
const row = ({ graph }: Value, numbers: readonly number[]): Value =>
  ops.normalise(ops.fill(graph, [1, numbers.length], 0), {
    scale: numbers,
    shift: numbers,
  });

/** Σ over rows and classes of weight_c · −log softmax(logits)_c / classes, rows divided by what they weigh together. */
function overClasses(
  logits: Value,
  labels: Value,
  { shares, classWeights }: { shares: Value | undefined; classWeights?: readonly number[] },
): Value {
  const { rows, share } = asRows(logits, shares);
  const classes = rows.shape[1];
  const surprises = ops.neg(ops.logSoftmax(rows));
  if (classWeights === undefined)
    return ops.affine(ops.sum(ops.mul(surprises, share)), 1 / classes);
  // A share is the weight of the row's class in all rows' together: without it what is left is one over these.
  const inverse = perLabel(
    labels,
    classWeights.map((w) => 1 / w),
  );
  const part = ops.mul(share, ops.reshape(inverse, share.shape));
  const weighted = ops.mul(surprises, row(logits, classWeights));
  return ops.affine(ops.sum(ops.mul(weighted, part)), 1 / classes);
}

/** The likelihood of one label a row, its samples and its Fisher. */
const PLAIN: Omit<Loss, 'name'> = {
  trace: (logits, labels, shares) => ops.crossEntropy(logits, labels, shares),
  sample: (logits) => {
    const { rows } = asRows(logits);
    return ops.reshape(sampleLabels(ops.softmax(rows)), logits.shape.slice(0, -1));
  },
  // Label c has probability p_c and the gradient p − e_c.
  fisherRoots: (logits, shares) => {
    const { rows, share } = asRows(logits, shares);
    const p = ops.softmax(rows);
    return unitRows(rows).map((e) => {
      const own = ops.sum(ops.mul(p, e), [1], { keepDims: true });
      const root = ops.mul(ops.mul(ops.sqrt(own), share), ops.sub(p, e));
      return ops.reshape(root, logits.shape);
    });
  },
  // The covariance of a and b under p.
  fisherProduct: (logits, a, b, shares) => {
    const { rows, share } = asRows(logits, shares);
    const p = ops.softmax(rows);
    const centred = (x: Value) => {
      const own = ops.reshape(x, rows.shape);
      return ops.sub(own, ops.sum(ops.mul(p, own), [1], { keepDims: true }));
    };
    const products = ops.mul(p, ops.mul(centred(a), centred(b)));
    return ops.sum(ops.mul(products, share));
  },
};

/** Logits […, classes] as rows, and the share of each as a column. */
function asRows(logits: Value, shares?: Value): { rows: Value; share: Value } {
  const rows = ops.reshape(logits, [-1, logits.shape[logits.shape.length - 1]]);
  const [count] = rows.shape;
  const share = shares ?? ops.fill(logits.graph, [count], 1 / count);
  return { rows, share: ops.reshape(share, [count, 1]) };
}
