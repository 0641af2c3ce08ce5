/** Tensors one after the other, and the pieces of one. */
import type { Shape } from '../../../src/graph/types.ts';
import * as ops from '../../../src/ops/index.ts';
import { bf16, CHUNK, f32, i32, random, randomIntegers, u8 } from '../data.ts';
import type { Case, Tensor } from '../harness.ts';

const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

type Make = (shape: Shape, data: ArrayLike<number>) => Tensor;
const tensor = (make: Make, shape: Shape, seed: number): Tensor =>
  make(
    shape,
    make === f32 ? random(sizeOf(shape), { seed }) : randomIntegers(sizeOf(shape), 120, seed),
  );

/** Rows of each operand in turn: an operand is [outer, its length, inner]. */
function joined(xs: readonly Float64Array[], outer: number): number[] {
  return Array.from({ length: outer }, (_, o) =>
    xs.flatMap((x) => {
      const width = x.length / outer;
      return [...x.subarray(o * width, (o + 1) * width)];
    }),
  ).flat();
}

const JOINED: readonly (readonly [axis: number, shapes: readonly Shape[]])[] = [
  [0, [[3]]],
  [0, [[3], [0], [5]]],
  [
    0,
    [
      [2, 3],
      [1, 3],
      [4, 3],
    ],
  ],
  [
    1,
    [
      [2, 3],
      [2, 1],
      [2, 17],
    ],
  ],
  [
    -1,
    [
      [5, 1],
      [5, 1],
      [5, 1],
    ],
  ],
  [
    1,
    [
      [3, 2, 4],
      [3, 5, 4],
    ],
  ],
  [
    2,
    [
      [3, 2, 4],
      [3, 2, 0],
      [3, 2, 9],
    ],
  ],
  [
    1,
    [
      [2, CHUNK + 3],
      [2, 5],
      [2, CHUNK],
    ],
  ],
  [
    0,
    [
      [0, 4],
      [0, 4],
    ],
  ],
];

const concats = JOINED.flatMap(([axis, shapes]) =>
  [f32, u8, i32, bf16].map((make): Case => {
    const d = (axis + shapes[0].length) % shapes[0].length;
    return {
      op: 'concat',
      name: `${shapes.map((s) => `[${s}]`).join(' ')} along ${axis}, ${make.name}`,
      inputs: shapes.map((shape, i) => tensor(make, shape, i + 1)),
      build: (xs) => [ops.concat(xs, axis)],
      oracle: (xs) => [joined(xs, sizeOf(shapes[0].slice(0, d)))],
      gradient: make === f32 ? shapes.map((_, i) => i) : undefined,
      tolerance: { rel: 0 },
    };
  }),
);

const stacks = (
  [
    [0, []],
    [0, [3]],
    [1, [3]],
    [-1, [2, 3]],
    [1, [2, 3]],
  ] as const
).map(([axis, shape]: readonly [number, Shape]): Case => {
  const d = (axis + shape.length + 1) % (shape.length + 1);
  return {
    op: 'concat',
    name: `stack of three [${shape}] along ${axis}`,
    inputs: [1, 2, 3].map((seed) => tensor(f32, shape, seed)),
    build: (xs) => [ops.stack(xs, axis)],
    oracle: (xs) => [joined(xs, sizeOf(shape.slice(0, d)))],
    gradient: [0, 1, 2],
    tolerance: { rel: 0 },
  };
});

const splits = (
  [
    [2, [6], 0],
    [[1, 3, 2], [6], 0],
    [3, [2, 9], -1],
    [[4, 0, 1], [3, 5, 2], 1],
  ] as const
).map(([parts, shape, axis]: readonly [number | readonly number[], Shape, number]): Case => {
  const d = (axis + shape.length) % shape.length;
  const sizes = typeof parts === 'number' ? Array<number>(parts).fill(shape[d] / parts) : parts;
  const inner = sizeOf(shape.slice(d + 1));
  return {
    op: 'strided',
    name: `split [${shape}] in ${JSON.stringify(parts)} along ${axis}`,
    inputs: [tensor(f32, shape, 4)],
    build: ([x]) => ops.split(x, parts, axis),
    oracle: ([x]) =>
      sizes.map((size, i) => {
        const begin = sizes.slice(0, i).reduce((n, m) => n + m, 0);
        return [...x].filter((_, at) => {
          const position = Math.floor(at / inner) % shape[d];
          return position >= begin && position < begin + size;
        });
      }),
    gradient: [0],
    tolerance: { rel: 0 },
  };
});

/** An operand twice: its gradient is the sum of both parts. */
const twice: Case = {
  op: 'concat',
  name: 'a tensor beside itself',
  inputs: [tensor(f32, [3, 2], 5)],
  build: ([x]) => [ops.concat([x, x], 1)],
  oracle: ([x]) => [joined([x, x], 3)],
  gradient: [0],
  tolerance: { rel: 0 },
};

export const cases: Case[] = [...concats, ...stacks, ...splits, twice];
