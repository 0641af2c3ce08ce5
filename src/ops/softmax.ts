import type { Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { showType } from '../graph/types.ts';
import { mul, plus, sub } from './binary.ts';
import { defineOp, expectSameShape, expectType, graphOf, shapeError } from './define.ts';
import { affine } from './elementwise.ts';
import { fill } from './fill.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';

/** log Σ e^x of a row in two parts, which are not added: beside a huge maximum the logarithm would be lost. */
interface LogSum {
  readonly top: number;
  /** log Σ e^(x − top). */
  readonly rest: number;
}

/** out ← softmax of one row, by the shift with the maximum. */
function softmaxRow(x: Numbers, out: Numbers, begin: number, length: number): LogSum {
  let top = -Infinity;
  for (let j = 0; j < length; j++) top = Math.max(top, x[begin + j]);
  let total = 0;
  for (let j = 0; j < length; j++) total += Math.exp(x[begin + j] - top);
  for (let j = 0; j < length; j++) out[begin + j] = Math.exp(x[begin + j] - top) / total;
  return { top, rest: Math.log(total) };
}

const softmaxOp = defineOp({
  name: 'softmax',
  infer: ([x]) => {
    expectType('softmax', 'rows', x, 'f32');
    if (x.shape.length === 0) throw shapeError(`softmax expects at least one dimension, got f32[]`);
    return [x];
  },
  runs: ({ inputs: [x] }) => x.size / x.shape[x.shape.length - 1],
  gradient: ({ outputs: [y] }, [dy]) => [dy && softmaxGrad(y, dy)],
  // The derivative is symmetric.
  tangent: ({ outputs: [y] }, [dx]) => [dx && softmaxGrad(y, dx)],
  kernel: ({ inputs: [x], outputs: [y] }) => {
    const length = y.shape[y.shape.length - 1];
    return () => {
      for (let at = 0; at < y.size; at += length) softmaxRow(x.data, y.data, at, length);
    };
  },
});

const softmaxGradOp = defineOp({
  name: 'softmaxGrad',
  infer: ([y, dy]) => {
    expectSameShape('softmaxGrad', y.shape, dy.shape);
    return [y];
  },
  tangent: ({ inputs: [y, dy] }, [ty, tdy]) => {
    const moved = tdy && softmaxGrad(y, tdy);
    if (ty === undefined) return [moved];
    const along = (a: Value, b: Value) => sum(mul(a, b), [-1], { keepDims: true });
    const turned = sub(mul(ty, sub(dy, along(y, dy))), mul(y, along(ty, dy)));
    return [plus(moved, turned)];
  },
  kernel: ({ inputs: [y, dy], outputs: [dx] }) => {
    const length = y.shape[y.shape.length - 1];
    return () => {
      for (let at = 0; at < y.size; at += length) {
        // Shifted by one of them, so that what all have in common leaves no rounding.
        const shift = dy.data[at];
        let dot = 0;
        for (let j = at; j < at + length; j++) dot += y.data[j] * (dy.data[j] - shift);
        for (let j = at; j < at + length; j++) dx.data[j] = y.data[j] * (dy.data[j] - shift - dot);
      }
    };
  },
});

/** (diag y − yyᵀ) d of every row. */
const softmaxGrad = (y: Value, d: Value): Value => y.graph.add(softmaxGradOp, [y, d], {})[0];

/** e^x / Σ e^x over the last dimension. */
export const softmax = (x: Value): Value => graphOf('softmax', x).add(softmaxOp, [x], {})[0];

const crossEntropyOp = defineOp({
  name: 'crossEntropy',
  infer: ([logits, labels, weights]) => {
    expectType('crossEntropy', 'logits', logits, 'f32', [null, null]);
    if (
      (labels.dtype !== 'i32' && labels.dtype !== 'u8') ||
      labels.shape.length !== 1 ||
      labels.shape[0] !== logits.shape[0]
    ) {
      throw shapeError(
        `crossEntropy expects one i32 or u8 label for each of the ${logits.shape[0]} rows of logits, got ${showType(labels)}`,
      );
    }
    if (weights !== undefined) {
      expectType('crossEntropy', 'weights', weights, 'f32', [logits.shape[0]]);
    }
    return [{ dtype: 'f32', shape: [] }, logits];
  },
  gradient: ({ inputs: [, labels, ...weights], outputs: [, probabilities] }, [dloss]) => [
    dloss?.graph.add(crossEntropyGradOp, [probabilities, labels, dloss, ...weights], {})[0],
    undefined,
    undefined,
  ],
  tangent: ({ inputs: [, labels, ...weights], outputs: [, probabilities] }, [dx]) => {
    if (dx === undefined) return [];
    const one = fill(dx.graph, [], 1);
    const operands = [probabilities, labels, one, ...weights];
    const [gradient] = dx.graph.add(crossEntropyGradOp, operands, {});
    return [sum(mul(gradient, dx)), softmaxGrad(probabilities, dx)];
  },
  indexes: ({ inputs: [logits, labels, weights] }) => ({
    by: labels,
    what: 'label',
    // Of no weight.
    least: weights === undefined ? 0 : -1,
    count: logits.shape[1],
    of: 'outputs of the model',
  }),
  kernel: ({ inputs: [logits, labels, weights], outputs: [loss, probabilities] }) => {
    const [rows, classes] = logits.shape;
    return () => {
      let total = 0;
      for (let r = 0; r < rows; r++) {
        const label = labels.data[r];
        const own = label >= 0 && label < classes ? logits.data[r * classes + label] : NaN;
        const { top, rest } = softmaxRow(logits.data, probabilities.data, r * classes, classes);
        const weight = weights === undefined ? 1 / rows : weights.data[r];
        if (weight === 0) continue;
        total += weight * (top - own + rest);
      }
      loss.data[0] = rows === 0 && weights === undefined ? NaN : total;
    };
  },
});

const crossEntropyGradOp = defineOp({
  name: 'crossEntropyGrad',
  infer: ([probabilities]) => [probabilities],
  inPlace: [[0, 0]],
  tangent: ({ op, inputs: [p, labels, dloss, ...weights] }, [tp, , tdloss]) => {
    const [weight] = weights;
    const [rows] = p.shape;
    const share = weight && reshape(weight, [rows, 1]);
    const moved = tp && mul(share === undefined ? affine(tp, 1 / rows) : mul(tp, share), dloss);
    const scaled = tdloss?.graph.add(op, [p, labels, tdloss, ...weights], {})[0];
    return [plus(moved, scaled)];
  },
  kernel: ({ inputs: [probabilities, labels, dloss, weights], outputs: [dx] }) => {
    const [rows, classes] = dx.shape;
    return () => {
      for (let r = 0; r < rows; r++) {
        const scale = dloss.data[0] * (weights === undefined ? 1 / rows : weights.data[r]);
        for (let c = 0; c < classes; c++) {
          const at = r * classes + c;
          dx.data[at] = scale * (probabilities.data[at] - (labels.data[r] === c ? 1 : 0));
        }
      }
    };
  },
});

/** […, classes] as rows of classes. */
const rowsOf = (x: Value): Value =>
  x.shape.length === 2 ? x : reshape(x, [-1, x.shape[x.shape.length - 1] ?? 1]);
const flat = (x: Value): Value => (x.shape.length === 1 ? x : reshape(x, [-1]));

/**
 * Mean over rows of −log softmax(logits)[label]: logits […, classes], labels […] → []. With `weights`, one a row, the
 * sum of weight · −log softmax(logits)[label] over rows whose weight is not 0.
 * A label outside 0 … classes − 1 makes the loss NaN.
 */
export const crossEntropy = (logits: Value, labels: Value, weights?: Value): Value =>
  graphOf('crossEntropy', logits, labels, weights === undefined ? labels : weights).add(
    crossEntropyOp,
    [rowsOf(logits), flat(labels), ...(weights === undefined ? [] : [weights])],
    {},
  )[0];

const countCorrectOp = defineOp({
  name: 'countCorrect',
  infer: ([logits, labels, weights]) => {
    expectType('countCorrect', 'logits', logits, 'f32', [labels.shape[0], null]);
    if (weights !== undefined) {
      expectType('countCorrect', 'weights', weights, 'f32', [labels.shape[0]]);
    }
    return [{ dtype: 'f32', shape: [] }];
  },
  kernel: ({ inputs: [logits, labels, weights], outputs: [count] }) => {
    const [rows, classes] = logits.shape;
    return () => {
      let correct = 0;
      for (let r = 0; r < rows; r++) {
        if (weights?.data[r] === 0) continue;
        let best = 0;
        for (let c = 1; c < classes; c++) {
          if (logits.data[r * classes + c] > logits.data[r * classes + best]) best = c;
        }
        if (best === labels.data[r]) correct += 1;
      }
      count.data[0] = correct;
    };
  },
});

/**
 * Number of rows of logits […, classes] whose largest (the first of equals) is the label's, of […]; with `weights`, one a
 * row, of those whose weight is not 0.
 */
export const countCorrect = (logits: Value, labels: Value, weights?: Value): Value =>
  graphOf('countCorrect', logits, labels, weights === undefined ? labels : weights).add(
    countCorrectOp,
    [rowsOf(logits), flat(labels), ...(weights === undefined ? [] : [weights])],
    {},
  )[0];
