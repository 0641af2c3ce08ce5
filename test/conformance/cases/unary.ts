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

/** φ(x) of the standard normal distribution. */
const density = (x: number): number => Math.exp(-(x ** 2) / 2) / Math.sqrt(2 * Math.PI);

/** Φ(x): Marsaglia's series near 0 (2004), Laplace's continued fraction in the tails. */
function normal(x: number): number {
  if (Number.isNaN(x)) return NaN;
  const a = Math.abs(x);
  if (a > 40) return x < 0 ? 0 : 1;
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let k = 3; term > 1e-18 * sum; k += 2) {
      term *= a ** 2 / k;
      sum += term;
    }
    return 0.5 + Math.sign(x) * density(a) * sum;
  }
  let fraction = a;
  for (let k = 200; k > 0; k--) fraction = a + k / fraction;
  const tail = density(a) / fraction;
  return x < 0 ? tail : 1 - tail;
}

/** ½ (1 + tanh(√(2/π) (x + 0.044715 x³))) by whichever exponential does not overflow. */
const gate = (x: number): number => sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));

export const cases: Case[] = [
  // Where the tail is a denormal, x multiplies its rounding: by 14, of SiLU's sigmoid by 104.
  ...unary(
    'gelu',
    (x) => ops.gelu(x),
    (x) => x * normal(x),
    { tolerance: { rel: 6e-7, abs: 2e-44 } },
  ),
  // In the tails the sigmoid carries the rounding of its argument.
  ...unary(
    'geluTanh',
    (x) => ops.gelu(x, { approximate: 'tanh' }),
    (x) => x * gate(x),
    {
      tolerance: { rel: 1e-6, abs: 1e-9 },
    },
  ),
  ...unary('silu', ops.silu, (x) => x * sigmoid(x), { tolerance: { rel: 4e-7, abs: 1.5e-43 } }),
  ...unary(
    'clip',
    (x) => ops.clip(x, -1.5, 2.25),
    (x) => Math.min(Math.max(x, -1.5), 2.25),
  ),
  ...unary(
    'clip',
    (x) => ops.clip(x, undefined, 1),
    (x) => Math.min(x, 1),
  ).map((c) => ({
    ...c,
    name: `${c.name}, from above alone`,
  })),
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
