import type { Shape } from '../../../src/graph/types.ts';
import * as ops from '../../../src/ops/index.ts';
import { CHUNK, f32, random, SIZES } from '../data.ts';
import type { Case } from '../harness.ts';

const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** The operand's element at flat index `at` of `out`. */
function read(x: Float64Array, shape: Shape, out: Shape, at: number): number {
  let rest = at;
  let index = 0;
  let stride = 1;
  for (let d = out.length - 1; d >= 0; d--) {
    const size = shape[d - out.length + shape.length] ?? 1;
    index += (size === 1 ? 0 : rest % out[d]) * stride;
    stride *= size;
    rest = Math.floor(rest / out[d]);
  }
  return x[index];
}

/** [condition, a, b, result] */
const SHAPES: readonly (readonly [Shape, Shape, Shape, Shape])[] = [
  ...SIZES.map((n): [Shape, Shape, Shape, Shape] => [[n], [n], [n], [n]]),
  [[], [], [], []],
  [[33], [], [], [33]],
  [[], [33], [33], [33]],
  [[33], [33], [], [33]],
  [[5, 17], [17], [5, 1], [5, 17]],
  [[5, 1], [1, 17], [], [5, 17]],
  [
    [2, 1, 4],
    [3, 1],
    [2, 3, 4],
    [2, 3, 4],
  ],
  [[CHUNK + 9], [], [CHUNK + 9], [CHUNK + 9]],
  [[0, 4], [4], [], [0, 4]],
  [[1], [1, 1], [], [1, 1]],
];

const shaped = SHAPES.map(
  ([c, a, b, out]): Case => ({
    op: 'where',
    name: `[${c}] [${a}] [${b}]`,
    inputs: [
      f32(c, random(sizeOf(c), { seed: 1, low: -1, high: 2 }).map(Math.round)),
      f32(a, random(sizeOf(a), { seed: 2 })),
      f32(b, random(sizeOf(b), { seed: 3 })),
    ],
    build: ([x, y, z]) => [ops.where(x, y, z)],
    oracle: ([x, y, z]) => [
      Array.from({ length: sizeOf(out) }, (_, i) =>
        read(x, c, out, i) === 0 ? read(z, b, out, i) : read(y, a, out, i),
      ),
    ],
    gradient: [1, 2],
    tolerance: { rel: 0 },
    // Gradients of repeated operands are sums.
    gradientTolerance: { rel: 1e-5, abs: 2e-4 },
  }),
);

export const cases: Case[] = [
  ...shaped,
  {
    op: 'where',
    name: 'what is not chosen does not matter, and a condition of NaN holds',
    inputs: [f32([4], [1, -0, NaN, 1e-45]), f32([4], [1, NaN, 3, 4])],
    build: ([c, x]) => [ops.where(c, x, -7)],
    oracle: () => [[1, -7, 3, 4]],
  },
];
