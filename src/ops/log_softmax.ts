import type { Value } from '../graph/graph.ts';
import { mul, plus, sub } from './binary.ts';
import { defineOp, expectSameShape, expectType, graphOf, shapeError } from './define.ts';
import { neg } from './elementwise.ts';
import { sum } from './reduce.ts';
import { exp } from './unary.ts';

const logSoftmaxOp = defineOp({
  name: 'logSoftmax',
  infer: ([x]) => {
    expectType('logSoftmax', 'rows', x, 'f32');
    if (x.shape.length === 0)
      throw shapeError('logSoftmax expects at least one dimension, got f32[]');
    return [x];
  },
  runs: ({ inputs: [x] }) => x.size / x.shape[x.shape.length - 1],
  gradient: ({ outputs: [y] }, [dy]) => [dy?.graph.add(logSoftmaxGradOp, [y, dy], {})[0]],
  tangent: ({ outputs: [y] }, [dx]) => [
    dx && sub(dx, sum(mul(exp(y), dx), [-1], { keepDims: true })),
  ],
  kernel: ({ inputs: [x], outputs: [y] }) => {
    const length = y.shape[y.shape.length - 1];
    return () => {
      for (let at = 0; at < y.size; at += length) {
        let top = -Infinity;
        for (let j = at; j < at + length; j++) top = Math.max(top, x.data[j]);
        let total = 0;
        for (let j = at; j < at + length; j++) total += Math.exp(x.data[j] - top);
        const rest = Math.log(total);
        for (let j = at; j < at + length; j++) y.data[j] = x.data[j] - top - rest;
      }
    };
  },
});

/** dx = dy − e^y Σ dy of every row. */
const logSoftmaxGradOp = defineOp({
  name: 'logSoftmaxGrad',
  infer: ([y, dy]) => {
    expectSameShape('logSoftmaxGrad', y.shape, dy.shape);
    return [y];
  },
  inPlace: [[1, 0]],
  tangent: ({ op, inputs: [y, dy] }, [ty, tdy]) => {
    const total = ty && sum(dy, [-1], { keepDims: true });
    const turned = ty && total && neg(mul(mul(exp(y), ty), total));
    return [plus(tdy?.graph.add(op, [y, tdy], {})[0], turned)];
  },
  kernel: ({ inputs: [y, dy], outputs: [dx] }) => {
    const length = y.shape[y.shape.length - 1];
    return () => {
      for (let at = 0; at < y.size; at += length) {
        let total = 0;
        for (let j = at; j < at + length; j++) total += dy.data[j];
        for (let j = at; j < at + length; j++) {
          dx.data[j] = dy.data[j] - Math.exp(y.data[j]) * total;
        }
      }
    };
  },
});

/** x − log Σ e^x over the last dimension. */
export const logSoftmax = (x: Value): Value =>
  graphOf('logSoftmax', x).add(logSoftmaxOp, [x], {})[0];
