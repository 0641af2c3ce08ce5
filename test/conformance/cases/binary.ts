import type { Value } from '../../../src/graph/graph.ts';
import type { Shape } from '../../../src/graph/types.ts';
import * as ops from '../../../src/ops/binary.ts';
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
): Case[] {
  const shaped = SHAPES.map(
    ([a, b]): Case => ({
      op,
      name: `[${a}] [${b}]`,
      inputs: [f32(a, elements(a, 1, 0)), f32(b, elements(b, 2, 0.3))],
      build: ([x, y]) => [build(x, y)],
      oracle: ([x, y]) => [broadcast(a, b, (i, j) => exact(x[i], y[j]))],
      gradient: [0, 1],
      // Gradients of repeated operands are sums of up to 33 thousand terms.
      gradientTolerance: { rel: 1e-5, abs: 2e-4 },
    }),
  );
  const n = SPECIAL.length;
  const special: Case = {
    op,
    name: 'special values with each other',
    inputs: [f32([n, 1], SPECIAL), f32([n], SPECIAL)],
    build: ([x, y]) => [build(x, y)],
    oracle: ([x, y]) => [broadcast([n, 1], [n], (i, j) => exact(x[i], y[j]))],
  };
  return [...shaped, special];
}

export const cases: Case[] = [
  ...binary('add', ops.add, (a, b) => a + b),
  ...binary('sub', ops.sub, (a, b) => a - b),
  ...binary('mul', ops.mul, (a, b) => a * b),
  ...binary('div', ops.div, (a, b) => a / b),
  ...binary('maximum', ops.maximum, Math.max),
  ...binary('minimum', ops.minimum, Math.min),
];
