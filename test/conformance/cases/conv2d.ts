import { conv2d } from '../../../src/ops/conv2d.ts';
import { f32, random } from '../data.ts';
import type { Case } from '../harness.ts';

interface Sizes {
  /** Images [n, c, h, w]. */
  readonly x: readonly [number, number, number, number];
  /** Weight [out, c / groups, kh, kw]. */
  readonly w: readonly [number, number, number, number];
  readonly bias?: boolean;
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly groups?: number;
}

/** The definition, one product after another. */
function naive(sizes: Sizes, x: Float64Array, w: Float64Array, b?: Float64Array): Float64Array {
  const [n, channels, height, width] = sizes.x;
  const [out, perGroup, kh, kw] = sizes.w;
  const { stride: [sy, sx] = [1, 1], padding: [py, px] = [0, 0], groups = 1 } = sizes;
  const rows = Math.floor((height + 2 * py - kh) / sy) + 1;
  const columns = Math.floor((width + 2 * px - kw) / sx) + 1;
  const y = new Float64Array(n * out * rows * columns);
  let at = 0;
  for (let i = 0; i < n; i++) {
    for (let o = 0; o < out; o++) {
      const first = Math.floor(o / (out / groups)) * perGroup;
      for (let r = 0; r < rows; r++) {
        for (let q = 0; q < columns; q++, at++) {
          let sum = b === undefined ? 0 : b[o];
          for (let c = 0; c < perGroup; c++) {
            for (let ky = 0; ky < kh; ky++) {
              const iy = r * sy + ky - py;
              if (iy < 0 || iy >= height) continue;
              for (let kx = 0; kx < kw; kx++) {
                const ix = q * sx + kx - px;
                if (ix < 0 || ix >= width) continue;
                const pixel = x[((i * channels + first + c) * height + iy) * width + ix];
                sum += pixel * w[((o * perGroup + c) * kh + ky) * kw + kx];
              }
            }
          }
          y[at] = sum;
        }
      }
    }
  }
  return y;
}

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function convolution(name: string, sizes: Sizes): Case {
  const { x, w, bias = false, ...options } = sizes;
  const inputs = [f32(x, random(size(x))), f32(w, random(size(w), { seed: 2 }))];
  if (bias) inputs.push(f32([w[0]], random(w[0], { seed: 3 })));
  // Products of up to 4, summed in float32: over a window, and over all positions for the weight.
  const window = Math.max(1, size(w.slice(1)), w[0] * w[2] * w[3]);
  const all = Math.max(window, x[0] * x[2] * x[3]);
  // The CPU's tiles of 5×5 windows on 4 to 32 channels (native/cpu/winograd/winograd_5x5.h) err more than a plain sum.
  const isTiled = w[2] === 5 && w[3] === 5 && [w[0], w[1]].every((c) => c >= 4 && c <= 32);
  const unit = isTiled ? 4e-6 : 3e-6;
  return {
    op: 'conv2d',
    name: `${name}: [${x}] * [${w}]`,
    inputs,
    build: ([images, weight, b]) => [conv2d(images, weight, b, options)],
    oracle: ([images, weight, b]) => [naive(sizes, images, weight, b)],
    gradient: inputs.map((_, i) => i),
    tolerance: { rel: 1e-6, abs: unit * Math.sqrt(window) },
    gradientTolerance: { rel: 1e-6, abs: unit * Math.sqrt(all) },
  };
}

export const cases: Case[] = [
  convolution('one pixel', { x: [1, 1, 1, 1], w: [1, 1, 1, 1] }),
  convolution('no images', { x: [0, 2, 5, 5], w: [3, 2, 3, 3], bias: true }),
  convolution('no images, whole', { x: [0, 2, 3, 3], w: [3, 2, 3, 3], bias: true }),
  convolution('no input channels', { x: [2, 0, 4, 4], w: [3, 0, 2, 2], bias: true }),
  convolution('no output channels', { x: [2, 2, 4, 4], w: [0, 2, 2, 2] }),
  convolution('one image', { x: [1, 3, 9, 7], w: [5, 3, 3, 3], bias: true }),
  convolution('odd sizes', { x: [3, 5, 11, 13], w: [7, 5, 3, 5], bias: true }),
  convolution('vertical', { x: [2, 2, 9, 4], w: [3, 2, 5, 1] }),
  convolution('horizontal', { x: [2, 2, 4, 9], w: [3, 2, 1, 4], bias: true }),
  convolution('kernel = input', { x: [5, 3, 4, 6], w: [9, 3, 4, 6], bias: true }),
  convolution('kernel = padded input', { x: [3, 2, 2, 3], w: [4, 2, 4, 3], padding: [1, 0] }),
  convolution('kernel beyond the image', { x: [2, 1, 1, 2], w: [3, 1, 5, 4], padding: [2, 1] }),
  convolution('padding', { x: [2, 3, 8, 8], w: [4, 3, 3, 3], bias: true, padding: [1, 1] }),
  convolution('uneven padding', { x: [2, 2, 5, 6], w: [3, 2, 3, 3], padding: [3, 1], bias: true }),
  convolution('stride', { x: [2, 3, 9, 9], w: [4, 3, 3, 3], stride: [2, 2], bias: true }),
  convolution('uneven stride', { x: [2, 2, 10, 17], w: [3, 2, 3, 2], stride: [2, 3] }),
  convolution('stride and padding', {
    x: [3, 4, 7, 8],
    w: [6, 4, 3, 3],
    stride: [3, 2],
    padding: [1, 1],
    bias: true,
  }),
  convolution('stride beyond the kernel', { x: [1, 1, 9, 9], w: [2, 1, 2, 2], stride: [4, 5] }),
  convolution('1×1', { x: [3, 6, 5, 7], w: [4, 6, 1, 1], bias: true }),
  convolution('1×1, small images', { x: [20, 6, 2, 3], w: [4, 6, 1, 1], bias: true }),
  convolution('1×1, stride', { x: [2, 4, 6, 6], w: [3, 4, 1, 1], stride: [2, 2] }),
  convolution('1×1, padding', { x: [2, 4, 3, 3], w: [3, 4, 1, 1], padding: [1, 1], bias: true }),
  convolution('groups', { x: [2, 6, 7, 7], w: [9, 2, 3, 3], groups: 3, bias: true }),
  convolution('depthwise', { x: [2, 5, 6, 6], w: [5, 1, 3, 3], groups: 5, padding: [1, 1] }),
  convolution('groups of whole images', {
    x: [3, 4, 3, 3],
    w: [6, 2, 3, 3],
    groups: 2,
    bias: true,
  }),
  convolution('small images joined', {
    x: [30, 4, 4, 4],
    w: [8, 4, 3, 3],
    padding: [1, 1],
    bias: true,
  }),
  convolution('LeNet-5, first', { x: [9, 1, 32, 32], w: [6, 1, 5, 5], bias: true }),
  convolution('LeNet-5, second', { x: [13, 6, 14, 14], w: [16, 6, 5, 5], bias: true }),
  convolution('wide rows, uneven stride', {
    x: [3, 2, 9, 30],
    w: [7, 2, 3, 4],
    stride: [2, 1],
    padding: [1, 2],
    bias: true,
  }),
  convolution('few channels, many rows', {
    x: [2, 3, 200, 79],
    w: [7, 3, 3, 3],
    padding: [1, 0],
    bias: true,
  }),
  // Products over 512 terms and more, which gemm.h of CUDA cuts into pieces: forward, of the input's, of the weight's
  // gradient.
  convolution('windows for pieces', { x: [2, 60, 4, 5], w: [3, 60, 3, 3], bias: true }),
  convolution('outputs for pieces', { x: [2, 3, 4, 5], w: [60, 3, 3, 3], bias: true }),
  convolution('positions for pieces', { x: [3, 2, 20, 19], w: [3, 2, 3, 3], bias: true }),
  convolution('5×5, odd sizes', { x: [18, 5, 7, 10], w: [7, 5, 5, 5], bias: true }),
  convolution('5×5, padding', { x: [17, 4, 6, 9], w: [8, 4, 5, 5], padding: [2, 1], bias: true }),
  convolution('5×5, padding beyond the kernel', {
    x: [16, 9, 3, 2],
    w: [4, 9, 5, 5],
    padding: [6, 7],
  }),
  convolution('5×5, many channels', { x: [16, 32, 5, 6], w: [31, 32, 5, 5], bias: true }),
  convolution('LeNet-5, third', { x: [9, 16, 5, 5], w: [120, 16, 5, 5], bias: true }),
  convolution('deep', { x: [2, 32, 7, 7], w: [130, 32, 3, 3], padding: [1, 1], bias: true }),
  convolution('3×3, odd sizes', { x: [3, 32, 7, 9], w: [33, 32, 3, 3], bias: true }),
  convolution('3×3, uneven padding', { x: [2, 33, 5, 6], w: [32, 33, 3, 3], padding: [2, 1] }),
  convolution('3×3, many small images', { x: [90, 32, 4, 3], w: [32, 32, 3, 3], padding: [1, 1] }),
  convolution('3×3, rows of large images', { x: [2, 32, 93, 48], w: [32, 32, 3, 3], bias: true }),
  convolution('one wide image', {
    x: [1, 24, 60, 60],
    w: [32, 24, 3, 3],
    padding: [1, 1],
    bias: true,
  }),
];
