import type { Value } from '../graph/graph.ts';
import { div, mul } from './binary.ts';
import { defineOp, expectNumbers, expectSameShape, expectType, graphOf } from './define.ts';

/** An elementwise function with its gradient as traced ops of x, y = f(x) and dy. */
function unary(
  name: string,
  f: (x: number) => number,
  gradient: (x: Value, y: Value, dy: Value) => Value | undefined,
): (x: Value) => Value {
  const op = defineOp({
    name,
    infer: ([x]) => {
      expectType(name, 'its operand', x, 'f32');
      return [x];
    },
    runs: ({ inputs: [x] }) => x.size,
    inPlace: [[0, 0]],
    gradient: ({ inputs: [x], outputs: [y] }, [dy]) => [dy && gradient(x, y, dy)],
    // The derivative is diagonal: a tangent goes the way of dy.
    tangent: ({ inputs: [x], outputs: [y] }, [dx]) => [dx && gradient(x, y, dx)],
    kernel:
      ({ inputs: [x], outputs: [y] }) =>
      () => {
        for (let i = 0; i < y.size; i++) y.data[i] = f(x.data[i]);
      },
  });
  return (x) => graphOf(name, x).add(op, [x], {})[0];
}

/** dx from y and dy, where f′ is simplest in terms of y. */
function unaryGrad(
  name: string,
  f: (y: number, dy: number) => number,
): (y: Value, dy: Value) => Value {
  const op = defineOp({
    name,
    infer: ([y, dy]) => {
      expectType(name, 'y', y, 'f32');
      expectSameShape(name, y.shape, dy.shape);
      return [dy];
    },
    inPlace: [[1, 0]],
    kernel:
      ({ inputs: [y, dy], outputs: [dx] }) =>
      () => {
        for (let i = 0; i < dx.size; i++) dx.data[i] = f(y.data[i], dy.data[i]);
      },
  });
  return (y, dy) => y.graph.add(op, [y, dy], {})[0];
}

const reluGrad = unaryGrad('reluGrad', (y, dy) => (y > 0 ? dy : 0));
const tanhGrad = unaryGrad('tanhGrad', (y, dy) => dy * (1 - y * y));
const sigmoidGrad = unaryGrad('sigmoidGrad', (y, dy) => dy * y * (1 - y));

/** max(x, 0); NaN stays NaN, the gradient at 0 is 0. */
export const relu = unary(
  'relu',
  (x) => Math.max(x, 0),
  (_, y, dy) => reluGrad(y, dy),
);
export const tanh = unary('tanh', Math.tanh, (_, y, dy) => tanhGrad(y, dy));
/** 1 / (1 + e^−x). */
export const sigmoid = unary(
  'sigmoid',
  (x) => 1 / (1 + Math.exp(-x)),
  (_, y, dy) => sigmoidGrad(y, dy),
);
export const exp = unary('exp', Math.exp, (_, y, dy) => mul(dy, y));
/** Natural logarithm. */
export const log = unary('log', Math.log, (x, _, dy) => div(dy, x));
export const sqrt = unary('sqrt', Math.sqrt, (_, y, dy) => div(affine(dy, 0.5), y));
export const square = unary(
  'square',
  (x) => x * x,
  (x, _, dy) => mul(dy, affine(x, 2)),
);
export const sign = unary('sign', Math.sign, () => undefined);
export const abs = unary('abs', Math.abs, (x, _, dy) => mul(dy, sign(x)));

const affineOp = defineOp<{ scale: number; shift: number }>({
  name: 'affine',
  infer: ([x]) => {
    expectType('affine', 'its operand', x, 'f32');
    return [x];
  },
  runs: ({ inputs: [x] }) => x.size,
  inPlace: [[0, 0]],
  gradient: ({ attrs }, [dy]) => [dy && affine(dy, attrs.scale)],
  tangent: ({ attrs }, [dx]) => [dx && affine(dx, attrs.scale)],
  kernel:
    ({ inputs: [x], outputs: [y], attrs: { scale, shift } }) =>
    () => {
      for (let i = 0; i < y.size; i++) y.data[i] = x.data[i] * scale + shift;
    },
});

/** scale · x + shift with constants. */
export function affine(x: Value, scale: number, shift = 0): Value {
  const graph = graphOf('affine', x);
  expectNumbers('affine', { scale, shift });
  return graph.add(affineOp, [x], { scale, shift })[0];
}

export const neg = (x: Value): Value => affine(x, -1);
