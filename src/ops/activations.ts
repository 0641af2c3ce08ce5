import { checkNames, checkOneOf } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import { add, mul, square } from './binary.ts';
import { affine, unary } from './elementwise.ts';
import { exp, sigmoid as sigmoidOf } from './unary.ts';
import { unaryGrad } from './unary_grad.ts';

/** 1 / (1 + e^−x). */
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * e^(a²/2) ∫ₐ^∞ e^(−t²/2)/√2π dt for a ≥ 0 is t P(2t − 1) with t = 1/(1 + 0.3 a): least squares at Chebyshev's nodes for
 * a up to 40, relative error 2e-15.
 */
const TAIL = [
  0.22197061383443317, 0.16457948408615775, 0.08654963741835313, 0.027760365474129925,
  0.0018171358003632463, -0.002423896558094132, -0.0005756426000779482, 0.00028363703575699865,
  9.014065188046553e-5, -4.974716414685855e-5, -1.1129245042451577e-5, 1.073477425663721e-5,
  2.558180541345142e-7, -2.2595469543803843e-6, 4.969335692024066e-7, 3.717533956824379e-7,
  -2.0610850153959262e-7, -3.016342292074633e-8, 4.299256971898569e-8, -1.7628934842079245e-9,
  -3.423787276735701e-9,
];

const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** The standard normal distribution function. */
function normal(x: number): number {
  const t = 1 / (1 + 0.3 * Math.abs(x));
  const scaled = t * TAIL.reduceRight((sum, c) => sum * (2 * t - 1) + c, 0);
  const tail = Math.exp(-0.5 * x * x) * scaled;
  return x < 0 ? tail : 1 - tail;
}

const CUBIC = 0.044715;
const ROOT = Math.sqrt(2 / Math.PI);

/** 2 √(2/π) (x + 0.044715 x³): ½ (1 + tanh u) is the sigmoid of 2u. */
const cubic = (x: number): number => 2 * ROOT * (x + CUBIC * x * x * x);
const cubicSlope = (x: number): number => 2 * ROOT * (1 + 3 * CUBIC * x * x);

/** The slope of x σ(u(x)), beyond where σ is 0 or 1. */
function gatedSlope(x: number, u: number, slope: number): number {
  const s = sigmoid(u);
  return s === 0 || s === 1 ? s : s + x * s * (1 - s) * slope;
}

/** The second derivative of x σ(u(x)): σ′ (2 u′ + x ((1 − 2σ) u′² + u″)). */
function gatedBend(x: Value, u: Value, slope: Value | 1, bend: Value | 0): Value {
  const s = sigmoidOf(u);
  const both = mul(affine(s, -2, 1), slope === 1 ? 1 : square(slope));
  const curved = mul(x, add(both, bend));
  return mul(mul(s, affine(s, -1, 1)), add(curved, slope === 1 ? 2 : affine(slope, 2)));
}

const geluGrad = unaryGrad(
  'geluGrad',
  (x, dy) => dy * (normal(x) + x * density(x)),
  // φ(x) (2 − x²).
  (x, dy) => {
    const squares = square(x);
    const bell = affine(exp(affine(squares, -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return mul(dy, mul(bell, affine(squares, -1, 2)));
  },
);
const geluTanhGrad = unaryGrad(
  'geluTanhGrad',
  (x, dy) => dy * gatedSlope(x, cubic(x), cubicSlope(x)),
  (x, dy) => {
    const slope = affine(square(x), 6 * ROOT * CUBIC, 2 * ROOT);
    const u = mul(x, affine(square(x), 2 * ROOT * CUBIC, 2 * ROOT));
    return mul(dy, gatedBend(x, u, slope, affine(x, 12 * ROOT * CUBIC)));
  },
);
const siluGrad = unaryGrad(
  'siluGrad',
  (x, dy) => dy * gatedSlope(x, x, 1),
  (x, dy) => mul(dy, gatedBend(x, x, 1, 0)),
);

const exact = unary(
  'gelu',
  (x) => x * normal(x),
  (x, _, dy) => geluGrad(x, dy),
);
const byTanh = unary(
  'geluTanh',
  (x) => x * sigmoid(cubic(x)),
  (x, _, dy) => geluTanhGrad(x, dy),
);

export interface GeluOptions {
  /** `none`, the default, or `tanh`. */
  approximate?: 'none' | 'tanh';
}

/**
 * x Φ(x), Φ the standard normal distribution function (Hendrycks & Gimpel 2016); with `approximate: 'tanh'`
 * ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), as GPT-2 has it.
 */
export const gelu = (x: Value, options: GeluOptions = {}): Value =>
  checkGelu(options) === 'tanh' ? byTanh(x) : exact(x);

export function checkGelu(options: GeluOptions): 'none' | 'tanh' {
  checkNames<GeluOptions>('gelu', options, { approximate: true });
  return checkOneOf('approximate of gelu', options.approximate ?? 'none', ['none', 'tanh']);
}

/** x / (1 + e^−x), also called swish. */
export const silu = unary(
  'silu',
  (x) => x * sigmoid(x),
  (x, _, dy) => siluGrad(x, dy),
);
