import { div, mul } from './binary.ts';
import { affine, unary } from './elementwise.ts';
import { unaryGrad } from './unary_grad.ts';

const reluGrad = unaryGrad(
  'reluGrad',
  (y, dy) => (y > 0 ? dy : 0),
  () => undefined,
);
const tanhGrad = unaryGrad(
  'tanhGrad',
  (y, dy) => dy * (1 - y * y),
  (y, dy) => mul(dy, affine(y, -2)),
);
const sigmoidGrad = unaryGrad(
  'sigmoidGrad',
  (y, dy) => dy * y * (1 - y),
  (y, dy) => mul(dy, affine(y, -2, 1)),
);

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
export const sign = unary('sign', Math.sign, () => undefined);
export const abs = unary('abs', Math.abs, (x, _, dy) => mul(dy, sign(x)));
