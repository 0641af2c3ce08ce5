/** Random crops and mirror images, drawn by Philox for every image, each pixel by its definition. */
import type { Moment } from '../../../src/graph/moment.ts';
import type { Shape } from '../../../src/graph/types.ts';
import * as ops from '../../../src/ops/index.ts';
import { philoxBlock } from '../../../src/random/philox.ts';
import { f32, random, u8 } from '../data.ts';
import type { Case } from '../harness.ts';

const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** Words 4n … 4n + 3 of (seed, stream, step). */
function wordsOf(moment: Moment, stream: number, image: number): Uint32Array {
  const words = new Uint32Array(4);
  philoxBlock(words, { seed: moment.seed, stream, step: moment.step }, image);
  return words;
}

export type Source = (
  words: Uint32Array,
  i: number,
  j: number,
  width: number,
) => readonly [number, number];

export const cropped =
  ([rows, columns]: readonly [number, number]): Source =>
  (words, i, j) => [
    i + Math.floor((words[0] / 2 ** 32) * (2 * rows + 1)) - rows,
    j + Math.floor((words[1] / 2 ** 32) * (2 * columns + 1)) - columns,
  ];
export const flipped =
  (p: number): Source =>
  (words, i, j, width) => [i, (words[2] >>> 8) / 2 ** 24 < p ? width - 1 - j : j];

export function moved(
  x: Float64Array,
  shape: Shape,
  [moment, stream]: readonly [Moment, number],
  source: Source,
  value: number,
): number[] {
  const [images, channels, height, width] = shape;
  const out: number[] = [];
  for (let n = 0; n < images; n++) {
    const words = wordsOf(moment, stream, n);
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < height; i++) {
        for (let j = 0; j < width; j++) {
          const [row, column] = source(words, i, j, width);
          const inside = row >= 0 && row < height && column >= 0 && column < width;
          out.push(inside ? x[((n * channels + c) * height + row) * width + column] : value);
        }
      }
    }
  }
  return out;
}

const STREAM = 3;
const SHAPES: readonly Shape[] = [
  [0, 3, 4, 4],
  [1, 1, 1, 1],
  [9, 1, 5, 4],
  [7, 3, 8, 8],
  [4, 2, 3, 33],
  [2, 0, 4, 4],
  [11, 3, 32, 32],
];
const MOMENTS: readonly Moment[] = [{ step: 5, epoch: 0, seed: 1234567890123, offset: 0 }];

const crops = SHAPES.flatMap((shape) =>
  (
    [
      [[4, 4], 0],
      [[1, 0], 7],
      [[0, 0], 0],
      [[40, 3], 2],
    ] as const
  ).flatMap(([padding, value]) =>
    [f32, u8].map(
      (make): Case => ({
        op: 'moveImages',
        name: `crops of [${shape}] ${make.name} within ${padding} of ${value}`,
        inputs: [make(shape, random(sizeOf(shape), { low: 0, high: 255 }))],
        build: ([x]) => [ops.randomCrop2d(x, { padding, value, stream: STREAM })],
        oracle: ([x], moments) => [moved(x, shape, [moments[0], STREAM], cropped(padding), value)],
        gradient: make === f32 ? [0] : undefined,
        moments: MOMENTS,
        tolerance: { rel: 0 },
      }),
    ),
  ),
);

const flips = SHAPES.flatMap((shape) =>
  [0, 0.5, 0.9, 1].flatMap((p) =>
    [f32, u8].map(
      (make): Case => ({
        op: 'moveImages',
        name: `[${shape}] ${make.name} mirrored with probability ${p}`,
        inputs: [make(shape, random(sizeOf(shape), { low: 0, high: 255 }))],
        build: ([x]) => [ops.randomFlip(x, { p, stream: STREAM })],
        oracle: ([x], moments) => [moved(x, shape, [moments[0], STREAM], flipped(p), 0)],
        gradient: make === f32 ? [0] : undefined,
        moments: MOMENTS,
        tolerance: { rel: 0 },
      }),
    ),
  ),
);

export const cases: Case[] = [...crops, ...flips];
