import { takeAlongAxis } from '../../../src/ops/take_along_axis.ts';
import { CHUNK, f32, i32, random, randomIntegers } from '../data.ts';
import type { Case } from '../harness.ts';

/** [outer, length, count, inner] */
const SHAPES = [
  [1, 1, 1, 1],
  [0, 3, 2, 1],
  [2, 0, 3, 2],
  [2, 3, 0, 2],
  [4, 5, 7, 1],
  [3, 17, 1, 33],
  [2, 6, 4, 5],
  [5, 784, 196, 1],
  [1, CHUNK, CHUNK + 3, 1],
] as const;

/** Every eleventh index lies outside, on one side or the other. */
const one = ([outer, length, count, inner]: (typeof SHAPES)[number]): Case => ({
  op: 'takeAlongAxis',
  name: `[${outer}, ${length}, ${inner}], ${count} each`,
  inputs: [
    f32([outer, length, inner], random(outer * length * inner, { seed: 3 })),
    i32(
      [outer, count, inner],
      randomIntegers(outer * count * inner, length).map((k, at) =>
        at % 11 === 10 ? (at % 2 === 0 ? length : -1) : k,
      ),
    ),
  ],
  build: ([x, index]) => [takeAlongAxis(x, index)],
  oracle: ([x, index]) => {
    const y: number[] = [];
    for (let o = 0; o < outer; o++) {
      for (let c = 0; c < count; c++) {
        for (let i = 0; i < inner; i++) {
          const k = index[(o * count + c) * inner + i];
          const column = Array.from({ length }, (_, l) => x[(o * length + l) * inner + i]);
          y.push(column[k] ?? 0);
        }
      }
    }
    return [y];
  },
  tolerance: { rel: 0 },
});

export const cases: Case[] = SHAPES.map(one);
