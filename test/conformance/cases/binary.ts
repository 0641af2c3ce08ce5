import { gradients } from '../../../src/autodiff/gradients.ts';
import type { Value } from '../../../src/graph/graph.ts';
import type { Shape } from '../../../src/graph/types.ts';
import * as ops from '../../../src/ops/index.ts';
import { CHUNK, f32, random, SIZES, SPECIAL } from '../data.ts';
import type { Case } from '../harness.ts';

type Index = readonly number[];

/** a and b over the indices of their common shape, one multi-index after the other. */
function broadcast(a: Shape, b: Shape, f: (i: number, j: number) => number): Float64Array {
  const rank = Math.max(a.length, b.length);
  const pad = (s: Shape): Shape => [...Array<number>(rank - s.length).fill(1), ...s];
  const [p, q] = [pad(a), pad(b)];
  const shape = p.map((d, k) => (d === 1 ? q[k] : d));
  const offset = (s: Shape, index: Index): number =>
    s.reduce((at, d, k) => at * d + (d === 1 ? 0 : index[k]), 0);
  const out = new Float64Array(shape.reduce((n, d) => n * d, 1));
  for (let flat = 0; flat < out.length; flat++) {
    let rest = flat;
    const index = shape.map(() => 0);
    for (let k = rank - 1; k >= 0; k--) {
      index[k] = rest % shape[k];
      rest = Math.floor(rest / shape[k]);
    }
    out[flat] = f(offset(p, index), offset(q, index));
  }
  return out;
}

const SHAPES: readonly (readonly [Shape, Shape])[] = [
  ...SIZES.map((n): [Shape, Shape] => [[n], [n]]),
  [[], []],
  [[7], []],
  [[], [33]],
  [[2 * CHUNK + 3], []],
  [[5, 17], [17]],
  [
    [5, 17],
    [5, 1],
  ],
  [
    [5, 1],
    [1, 17],
  ],
  [[17], [5, 17]],
  [[0, 4], [4]],
  [
    [3, 1],
    [3, 0],
  ],
  [[1, 1], [1]],
  [
    [2, 3, 4, 5],
    [3, 1, 5],
  ],
  [
    [2, 1, 4, 1],
    [3, 1, 9],
  ],
  [
    [3, 8, 5, 5],
    [8, 1, 1],
  ],
  [[300, 129], [129]],
  [
    [300, 129],
    [300, 1],
  ],
];

const elements = (shape: Shape, seed: number, gap: number): Float32Array =>
  random(
    shape.reduce((n, d) => n * d, 1),
    { seed, gap },
  );

function binary(
  op: string,
  build: (a: Value, b: Value) => Value,
  exact: (a: number, b: number) => number,
  {
    left = (shape: Shape) => elements(shape, 1, 0),
    right = (shape: Shape) => elements(shape, 2, 0.3),
    ...options
  }: Partial<Pick<Case, 'gradient' | 'tolerance'>> &
    Partial<Record<'left' | 'right', (shape: Shape) => Float32Array>> = {},
): Case[] {
  const shaped = SHAPES.map(
    ([a, b]): Case => ({
      op,
      name: `[${a}] [${b}]`,
      inputs: [f32(a, left(a)), f32(b, right(b))],
      build: ([x, y]) => [build(x, y)],
      oracle: ([x, y]) => [broadcast(a, b, (i, j) => exact(x[i], y[j]))],
      gradient: [0, 1],
      // Gradients of repeated operands are sums of up to 33 thousand terms.
      gradientTolerance: { rel: 1e-5, abs: 2e-4 },
      ...options,
    }),
  );
  const n = SPECIAL.length;
  const special: Case = {
    op,
    name: 'special values with each other',
    inputs: [f32([n, 1], SPECIAL), f32([n], SPECIAL)],
    build: ([x, y]) => [build(x, y)],
    oracle: ([x, y]) => [broadcast([n, 1], [n], (i, j) => exact(x[i], y[j]))],
    tolerance: options.tolerance,
  };
  return [...shaped, special];
}

/** Relations: of few numbers, so that many are equal. */
const relation = (
  op: string,
  build: (a: Value, b: Value) => Value,
  holds: (a: number, b: number) => boolean,
): Case[] => {
  const few = (seed: number) => (shape: Shape) => elements(shape, seed, 0).map(Math.round);
  return binary(op, build, (a, b) => Number(holds(a, b)), {
    left: few(3),
    right: few(4),
    gradient: undefined,
    tolerance: { rel: 0 },
  });
};

/** e^(b ln a) but for what ln does not know: signs, zeros and infinities by IEEE 754. */
function power(a: number, b: number): number {
  if (b === 0 || a === 1) return 1;
  if (Number.isNaN(a) || Number.isNaN(b)) return NaN;
  const whole = Number.isInteger(b) || Math.abs(b) === Infinity;
  if (a < 0 && a !== -Infinity && !whole) return NaN;
  const size = Math.abs(a);
  const result =
    size === 1
      ? 1
      : size === 0
        ? b > 0
          ? 0
          : Infinity
        : Math.exp(b * (Math.log2(size) * Math.LN2));
  const odd = Number.isInteger(b) && Math.abs(b % 2) === 1;
  return (a < 0 || Object.is(a, -0)) && odd ? -result : result;
}

const powers = binary('pow', ops.pow, power, {
  left: (shape) =>
    random(
      shape.reduce((n, d) => n * d, 1),
      { seed: 5, low: 0.2, high: 3 },
    ),
  right: (shape) => elements(shape, 6, 0),
});

const numbers: Case[] = [
  {
    op: 'pow',
    name: 'gradients at 0 and at a power of 0',
    inputs: [f32([4], [0, 0, -2, 3]), f32([4], [2, 1, 3, 0])],
    build: ([x, b]) => gradients(ops.sum(ops.pow(x, b)), [x]) as Value[],
    oracle: () => [[0, 1, 12, 0]],
  },
  {
    op: 'maximum',
    name: 'a number in the place of a tensor',
    inputs: [f32([3], [-1, 2, NaN])],
    build: ([x]) => [ops.maximum(x, 0), ops.sub(1, x)],
    oracle: () => [
      [0, 2, NaN],
      [2, -1, NaN],
    ],
  },
];

export const cases: Case[] = [
  ...relation('less', ops.less, (a, b) => a < b),
  ...relation(
    'less',
    (a, b) => ops.greater(b, a),
    (a, b) => a < b,
  ),
  ...relation('greaterEqual', ops.greaterEqual, (a, b) => a >= b),
  ...relation(
    'greaterEqual',
    (a, b) => ops.lessEqual(b, a),
    (a, b) => a >= b,
  ),
  ...relation('equal', ops.equal, (a, b) => a === b),
  ...relation('notEqual', ops.notEqual, (a, b) => a !== b),
  ...relation('logicalAnd', ops.logicalAnd, (a, b) => a !== 0 && b !== 0),
  ...relation('logicalOr', ops.logicalOr, (a, b) => a !== 0 || b !== 0),
  ...powers,
  ...numbers,
  ...binary('add', ops.add, (a, b) => a + b),
  ...binary('sub', ops.sub, (a, b) => a - b),
  ...binary('mul', ops.mul, (a, b) => a * b),
  ...binary('div', ops.div, (a, b) => a / b),
  ...binary('maximum', ops.maximum, Math.max),
  ...binary('minimum', ops.minimum, Math.min),
];
