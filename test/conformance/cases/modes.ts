/** Shampoo's statistics and products along one dimension of a tensor. */
import { type Mode, modeApply, modeGram } from '../../../src/ops/modes.ts';
import { f32, i32, random, symmetric } from '../data.ts';
import type { Case } from '../harness.ts';

const GOING = [0, 0, 0, 0, 0, 0, 0, 0];

const MODES: readonly Mode[] = [
  // Of matrices: rows, then columns.
  { outer: 1, dim: 5, inner: 7 },
  { outer: 5, dim: 7, inner: 1 },
  { outer: 1, dim: 1, inner: 1 },
  { outer: 1, dim: 1, inner: 33 },
  { outer: 33, dim: 1, inner: 1 },
  { outer: 1, dim: 17, inner: 1 },
  { outer: 1, dim: 70, inner: 301 },
  { outer: 301, dim: 70, inner: 1 },
  // In the middle of a tensor.
  { outer: 3, dim: 4, inner: 9 },
  { outer: 6, dim: 16, inner: 25 },
  // Without elements.
  { outer: 1, dim: 0, inner: 3 },
  { outer: 1, dim: 3, inner: 0 },
  { outer: 0, dim: 3, inner: 2 },
  { outer: 0, dim: 3, inner: 1 },
];

const show = ({ outer, dim, inner }: Mode): string => `[${outer}, ${dim}, ${inner}]`;
const sizeOf = ({ outer, dim, inner }: Mode): number => outer * dim * inner;

const gram = (
  mode: Mode,
  decay: number,
  scale: number,
  status: readonly number[] = GOING,
): Case => ({
  op: 'modeGram',
  name: `${show(mode)}, ${decay} and ${scale}, status ${status.slice(0, 2)}`,
  inputs: [
    i32([8], status),
    f32([mode.dim, mode.dim], symmetric(mode.dim, 3)),
    f32([sizeOf(mode)], random(sizeOf(mode), { seed: 4 })),
  ],
  build: ([block, statistic, g]) => {
    modeGram(block, statistic, g, mode, { decay, scale });
    return [statistic];
  },
  oracle: ([, statistic, g]) => {
    if (status[0] !== 0 || status[1] !== 0) return [statistic];
    const { outer, dim, inner } = mode;
    const at = (o: number, d: number, i: number) => g[(o * dim + d) * inner + i];
    return [
      statistic.map((old, k) => {
        let sum = 0;
        for (let o = 0; o < outer; o++)
          for (let i = 0; i < inner; i++) sum += at(o, Math.floor(k / dim), i) * at(o, k % dim, i);
        return decay * old + scale * sum;
      }),
    ];
  },
  // Sums of products up to 4 each: the error is of their sizes, not of what cancels.
  tolerance: { rel: 3e-6, abs: 1e-6 * Math.max(4, mode.outer * mode.inner) },
});

const apply = (mode: Mode): Case => ({
  op: 'modeApply',
  name: show(mode),
  inputs: [
    f32([mode.dim, mode.dim], symmetric(mode.dim, 5)),
    f32([sizeOf(mode)], random(sizeOf(mode), { seed: 6 })),
  ],
  build: ([matrix, x]) => [modeApply(matrix, x, mode)],
  oracle: ([matrix, x]) => {
    const { dim, inner } = mode;
    return [
      x.map((_, k) => {
        const i = k % inner;
        const d = Math.floor(k / inner) % dim;
        const o = Math.floor(k / (inner * dim));
        let sum = 0;
        for (let j = 0; j < dim; j++) sum += matrix[d * dim + j] * x[(o * dim + j) * inner + i];
        return sum;
      }),
    ];
  },
  tolerance: { rel: 3e-6, abs: 1e-6 * Math.max(4, mode.dim) },
});

export const cases: Case[] = [
  ...MODES.flatMap((mode) => [gram(mode, 1, 1), gram(mode, 0.9, 0.1)]),
  gram(MODES[0], 0, 1),
  gram(MODES[0], 1, 1, [1, 0, 0, 0, 0, 0, 0, 0]),
  gram(MODES[1], 1, 1, [0, 1, 0, 0, 0, 0, 0, 0]),
  ...MODES.map(apply),
];
