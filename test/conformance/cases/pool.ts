import type { Value } from '../../../src/graph/graph.ts';
import { avgPool2d, maxPool2d, type PoolOptions } from '../../../src/ops/pool.ts';
import { f32, random } from '../data.ts';
import type { Case } from '../harness.ts';

type Two = readonly [number, number];
interface Sizes {
  readonly x: readonly [number, number, number, number];
  readonly kernel: Two;
  readonly stride?: Two;
  readonly padding?: Two;
}

/** `combine` of the elements of every window, and how many of its kh·kw places lie in the padding. */
function naive(
  { x: [n, channels, height, width], kernel: [kh, kw], ...rest }: Sizes,
  x: Float64Array,
  combine: (elements: number[]) => number,
): Float64Array {
  const { stride: [sy, sx] = [kh, kw], padding: [py, px] = [0, 0] } = rest;
  const y: number[] = [];
  for (let plane = 0; plane < n * channels; plane++) {
    for (let top = -py; top + kh <= height + py; top += sy) {
      for (let left = -px; left + kw <= width + px; left += sx) {
        const elements: number[] = [];
        for (let r = Math.max(0, top); r < Math.min(height, top + kh); r++) {
          for (let c = Math.max(0, left); c < Math.min(width, left + kw); c++) {
            elements.push(x[(plane * height + r) * width + c]);
          }
        }
        y.push(combine(elements));
      }
    }
  }
  return Float64Array.from(y);
}

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Whole numbers in an order without equals, far enough apart for differences. */
function distinct(count: number): Float32Array {
  const order = Array.from(random(count), (key, i) => ({ key, i })).sort((a, b) => a.key - b.key);
  return Float32Array.from(order, ({ i }) => i - count / 2);
}

function pools(name: string, sizes: Sizes, x = distinct(size(sizes.x)), smooth = true): Case[] {
  const { x: shape, ...options } = sizes;
  const one = (
    op: string,
    pool: (x: Value, options: PoolOptions) => Value,
    combine: (elements: number[]) => number,
  ): Case => ({
    op,
    name: `${name}: [${shape}]`,
    inputs: [f32(shape, x)],
    build: ([images]) => [pool(images, options)],
    oracle: ([images]) => [naive(sizes, images, combine)],
    gradient: smooth ? [0] : undefined,
    tolerance: { rel: 1e-6, abs: 1e-6 * x.length },
  });
  const sum = (elements: number[]) => elements.reduce((a, b) => a + b, 0);
  return [
    one('maxPool2d', maxPool2d, (elements) => Math.max(...elements)),
    one('avgPool2d', avgPool2d, (elements) => sum(elements) / size(options.kernel)),
  ];
}

/** Where the gradient goes: equal elements, and NaN. */
function routed(name: string, sizes: Sizes, x: readonly number[], chosen: readonly number[]): Case {
  const { x: shape, ...options } = sizes;
  return {
    op: 'maxPool2d',
    name,
    inputs: [f32(shape, x)],
    build: ([images]) => {
      const y = maxPool2d(images, options);
      return [y, (y.node as NonNullable<Value['node']>).outputs[1]];
    },
    oracle: ([images]) => [chosen.map((at) => images[at]), [...chosen]],
  };
}

const HALVES: Two = [2, 2];
export const cases: Case[] = [
  ...pools('one pixel', { x: [1, 1, 1, 1], kernel: [1, 1] }),
  ...pools('no images', { x: [0, 3, 4, 4], kernel: HALVES }),
  ...pools('no channels', { x: [2, 0, 4, 4], kernel: HALVES }),
  ...pools('2×2', { x: [2, 3, 8, 6], kernel: HALVES }),
  ...pools('2×2, one window', { x: [3, 2, 2, 3], kernel: HALVES }),
  ...pools('2×2, odd', { x: [2, 2, 7, 35], kernel: HALVES }),
  ...pools('2×2, many tasks', { x: [12, 6, 28, 28], kernel: HALVES }),
  ...pools('2×2, overlapping', { x: [2, 2, 5, 6], kernel: HALVES, stride: [1, 1] }),
  ...pools('2×2, padded', { x: [1, 2, 5, 4], kernel: HALVES, padding: [1, 1] }),
  ...pools('3×3, stride 2, padded', {
    x: [2, 2, 9, 8],
    kernel: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
  }),
  ...pools('not square', { x: [2, 1, 9, 7], kernel: [3, 2], stride: [1, 3], padding: [0, 1] }),
  ...pools('stride beyond the kernel', { x: [1, 2, 9, 9], kernel: [2, 1], stride: [3, 4] }),
  ...pools('kernel = input', { x: [2, 3, 4, 5], kernel: [4, 5] }),
  ...pools(
    'NaN and infinity',
    { x: [1, 1, 2, 8], kernel: HALVES },
    Float32Array.from([
      1,
      NaN,
      Infinity,
      2,
      -Infinity,
      -Infinity,
      5,
      6,
      7,
      8,
      3,
      4,
      -1,
      -2,
      NaN,
      NaN,
    ]),
    false,
  ),
  routed(
    'ties go to the first',
    { x: [1, 1, 2, 6], kernel: HALVES },
    [1, 1, 2, 3, -0, 0, 1, 1, 3, 3, 0, 0],
    [0, 3, 4],
  ),
  routed(
    'ties in padded windows',
    { x: [1, 1, 2, 3], kernel: [3, 3], stride: [1, 2], padding: [1, 1] },
    [4, 4, 4, 4, 4, 4],
    [0, 1, 0, 1],
  ),
  routed(
    'the first NaN wins',
    { x: [1, 1, 2, 4], kernel: HALVES },
    [1, NaN, 9, NaN, NaN, 2, NaN, 3],
    [1, 3],
  ),
];
