/** Labels as unit vectors, and where the largest and the smallest stand. */
import type { Shape } from '../../../src/graph/types.ts';
import * as ops from '../../../src/ops/index.ts';
import { CHUNK, f32, i32, random, u8 } from '../data.ts';
import type { Case } from '../harness.ts';

const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

const hot = (
  [
    [[], 3],
    [[0], 4],
    [[5], 0],
    [[7], 1],
    [[9], 17],
    [[3, 4], 10],
    [[5], CHUNK + 1],
    [[3000], 11],
  ] as const
).flatMap(([shape, classes]: readonly [Shape, number]) =>
  [i32, u8].map((make): Case => {
    const labels = random(sizeOf(shape), {
      seed: 4,
      low: make === i32 ? -1 : 0,
      high: classes + 1,
    });
    return {
      op: 'oneHot',
      name: `[${shape}] ${make.name} of ${classes}`,
      inputs: [make(shape, labels.map(Math.floor))],
      build: ([x]) => [ops.oneHot(x, classes)],
      oracle: ([x]) => [
        [...x].flatMap((label) => Array.from({ length: classes }, (_, c) => Number(c === label))),
      ],
      tolerance: { rel: 0 },
    };
  }),
);

/** [shape, axis, result] */
const CHOICES: readonly (readonly [Shape, number | undefined, Shape])[] = [
  [[7], 0, []],
  [[5, 9], 1, [5]],
  [[5, 9], -2, [9]],
  [[5, 9], undefined, []],
  [[3, 4, 5], 1, [3, 5]],
  [[300, 129], 0, [129]],
  [[2, CHUNK + 3], 1, [2]],
];

/** Indices along an axis, of [outer, length, inner]; few different numbers, so that there are equals. */
const choices = CHOICES.flatMap(([shape, axis, result]) =>
  (['argmax', 'argmin'] as const).map((name): Case => {
    const at = axis === undefined ? 0 : (axis + shape.length) % shape.length;
    const length = axis === undefined ? sizeOf(shape) : shape[at];
    const inner = axis === undefined ? 1 : sizeOf(shape.slice(at + 1));
    const better = (a: number, b: number) => (name === 'argmax' ? a > b : a < b);
    return {
      op: 'max',
      name: `${name} of [${shape}] along ${axis}`,
      inputs: [f32(shape, random(sizeOf(shape), { seed: 6, low: -9, high: 9 }).map(Math.round))],
      build: ([x]) => [(name === 'argmax' ? ops.argmax : ops.argmin)(x, axis)],
      oracle: ([x]) => [
        Array.from({ length: sizeOf(result) }, (_, i) => {
          const begin = Math.floor(i / inner) * length * inner + (i % inner);
          let best = 0;
          for (let k = 1; k < length; k++) {
            if (better(x[begin + k * inner], x[begin + best * inner])) best = k;
          }
          return best;
        }),
      ],
      tolerance: { rel: 0 },
    };
  }),
);

const least = (
  [
    [[5, 9], [1]],
    [[4, 3], undefined],
  ] as const
).map(
  ([shape, axes]: readonly [Shape, readonly number[] | undefined]): Case => ({
    op: 'max',
    name: `min of [${shape}] over ${axes ?? 'all'}`,
    inputs: [f32(shape, random(sizeOf(shape), { seed: 7 }))],
    build: ([x]) => [ops.min(x, axes)],
    oracle: ([x]) => {
      const width = axes === undefined ? x.length : shape[1];
      return [
        Array.from({ length: x.length / width }, (_, r) =>
          Math.min(...x.subarray(r * width, (r + 1) * width)),
        ),
      ];
    },
    gradient: [0],
  }),
);

export const cases: Case[] = [...hot, ...choices, ...least];
