import type { Value } from '../../../src/graph/graph.ts';
import type { Shape } from '../../../src/graph/types.ts';
import { max, mean, sum } from '../../../src/ops/reduce.ts';
import { CHUNK, f32, random, SIZES } from '../data.ts';
import type { Case, Tolerance } from '../harness.ts';

/** Shapes and the axes over which they are reduced. */
const REDUCTIONS: readonly (readonly [Shape, readonly number[]])[] = [
  ...SIZES.map((n): [Shape, number[]] => [[n], [0]]),
  [[], []],
  [[5 * CHUNK + 1], [0]],
  [[7, 33], [1]],
  [[7, 33], [0]],
  [[7, 0], [1]],
  [[7, 0], [0]],
  [[0, 7], [0]],
  [[0, 7], [1]],
  [[3, 2 * CHUNK + 5], [1]],
  [[4001, 3], [0]],
  [[600, 65], [0]],
  [[600, 128], [0]],
  [[600, 64], [1]],
  [[4, 5, 6], [1]],
  [
    [4, 5, 6],
    [0, 2],
  ],
  [
    [3, 7, 5, 5],
    [0, 2, 3],
  ],
  [[20, 40, 81], [1]],
  [
    [130, 10],
    [0, 1],
  ],
];

/** For every output, in row-major order of the axes that stay, the elements that go into it. */
function groups(x: Float64Array, shape: Shape, axes: readonly number[]): number[][] {
  const kept = shape.map((_, d) => d).filter((d) => !axes.includes(d));
  const out = Array.from({ length: kept.reduce((n, d) => n * shape[d], 1) }, (): number[] => []);
  x.forEach((value, flat) => {
    const index = shape.map((_, d) => {
      const inner = shape.slice(d + 1).reduce((n, e) => n * e, 1);
      return Math.floor(flat / inner) % shape[d];
    });
    out[kept.reduce((at, d) => at * shape[d] + index[d], 0)].push(value);
  });
  return out;
}

function reduction(
  op: string,
  name: string,
  build: (x: Value, axes: readonly number[]) => Value,
  exact: (group: readonly number[]) => number,
  tolerance: Tolerance,
): Case[] {
  return REDUCTIONS.map(([shape, axes]) => ({
    op,
    name: `${name} of [${shape}] over ${axes}`,
    inputs: [
      f32(
        shape,
        random(
          shape.reduce((n, d) => n * d, 1),
          { seed: 4 },
        ),
      ),
    ],
    build: ([x]) => [build(x, axes)],
    oracle: ([x]) => [groups(x, shape, axes).map(exact)],
    gradient: [0],
    tolerance,
  }));
}

const total = (group: readonly number[]): number => group.reduce((a, b) => a + b, 0);
const largest = (group: readonly number[]): number =>
  [...group].sort((a, b) => b - a)[0] ?? -Infinity;

const withNaN = f32([3, 4], [1, NaN, 3, 2, 5, 5, 4, 0, NaN, 2, NaN, Infinity]);

export const cases: Case[] = [
  ...reduction('sum', 'sum', sum, total, { rel: 1e-6, abs: 1e-4 }),
  ...reduction('sum', 'mean', mean, (g) => total(g) / g.length, { rel: 1e-6, abs: 1e-7 }),
  ...reduction('max', 'max', max, largest, { rel: 0 }),
  {
    op: 'max',
    name: 'NaN wins, and equals go to the first',
    inputs: [withNaN],
    build: ([x]) => [max(x, [1]), max(x, [0])],
    oracle: () => [
      [NaN, 5, NaN],
      [NaN, NaN, NaN, Infinity],
    ],
  },
  {
    op: 'sum',
    name: 'NaN and infinities spread',
    inputs: [withNaN],
    build: ([x]) => [sum(x, [1]), sum(x, [0])],
    oracle: () => [
      [NaN, 14, NaN],
      [NaN, NaN, NaN, Infinity],
    ],
  },
];
