import type { Value } from '../../../src/graph/graph.ts';
import * as ops from '../../../src/ops/index.ts';
import { f32, random, SIZES, SPECIAL } from '../data.ts';
import type { Case, Tolerance } from '../harness.ts';

/** Every 65537th bit pattern: both signs, all exponents, denormals, NaN. */
const EVERY_MAGNITUDE = new Float32Array(
  Uint32Array.from({ length: 65535 }, (_, i) => i * 65537).buffer,
);

/** An elementwise function at every size, and at the special values. */
function unary(
  op: string,
  build: (x: Value) => Value,
  exact: (x: number) => number,
  options: {
    low?: number;
    high?: number;
    special?: readonly number[];
    tolerance?: Tolerance;
    smooth?: boolean;
  } = {},
): Case[] {
  const { low = -4, high = 4, special = SPECIAL, tolerance = { rel: 3e-7 } } = options;
  const one = (name: string, data: ArrayLike<number>, gradient?: readonly number[]): Case => ({
    op,
    name,
    inputs: [f32([data.length], data)],
    build: ([x]) => [build(x)],
    oracle: ([x]) => [x.map(exact)],
    gradient,
    tolerance: { abs: 3e-45, ...tolerance },
  });
  const gradient = options.smooth === false ? undefined : [0];
  return [
    ...SIZES.map((n) => one(`[${n}]`, random(n, { low, high, gap: 0.01 }), gradient)),
    one('special values', special),
    one('floats of every magnitude', EVERY_MAGNITUDE),
  ];
}

/** By e^−2|x| − 1, which keeps small x. */
function tanh(x: number): number {
  const e = Math.expm1(-2 * Math.abs(x));
  return (-Math.sign(x) * e) / (2 + e);
}

/** e^x over the whole range, where 1/(1 + e^−x) would lose the tail. */
const sigmoid = (x: number): number =>
  x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x));

export const cases: Case[] = [
  ...unary('relu', ops.relu, (x) => Math.max(0, x)),
  ...unary('tanh', ops.tanh, tanh),
  ...unary('sigmoid', ops.sigmoid, sigmoid),
  ...unary('exp', ops.exp, (x) => Math.E ** x),
  ...unary('log', ops.log, (x) => Math.log2(x) * Math.LN2, { low: 0.01, high: 5 }),
  ...unary('sqrt', ops.sqrt, (x) => (x < 0 ? NaN : x ** 0.5), { low: 0.01, high: 9 }),
  ...unary('square', ops.square, (x) => x ** 2),
  ...unary('sign', ops.sign, (x) => (x > 0 ? 1 : x < 0 ? -1 : x), { smooth: false }),
  ...unary('abs', ops.abs, (x) => (x < 0 ? -x : x)),
  ...unary(
    'affine',
    (x) => ops.affine(x, -1.75, 0.125),
    (x) => -1.75 * x + 0.125,
    {
      tolerance: { abs: 1e-7 },
    },
  ),
];
