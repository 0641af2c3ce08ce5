/** Statistics and products along one dimension of tensors. */
import { type Mode, modeApply, modeGram } from '../../../src/ops/modes.ts';
import { f32, i32, packed, random, symmetric } from '../data.ts';
import type { Case } from '../harness.ts';

const GOING = [0, 0, 0, 0, 0, 0, 0, 0];

const MODES: readonly Mode[] = [
  // Of matrices: rows, then columns.
  { count: 1, outer: 1, dim: 5, inner: 7 },
  { count: 1, outer: 5, dim: 7, inner: 1 },
  { count: 1, outer: 1, dim: 1, inner: 1 },
  { count: 1, outer: 1, dim: 1, inner: 33 },
  { count: 1, outer: 33, dim: 1, inner: 1 },
  { count: 1, outer: 1, dim: 17, inner: 1 },
  { count: 1, outer: 1, dim: 70, inner: 301 },
  { count: 1, outer: 301, dim: 70, inner: 1 },
  // Products over 512 terms and more, which gemm.h of CUDA cuts into pieces.
  { count: 1, outer: 1, dim: 5, inner: 600 },
  { count: 1, outer: 1100, dim: 3, inner: 1 },
  { count: 1, outer: 20, dim: 4, inner: 30 },
  { count: 1, outer: 1, dim: 513, inner: 3 },
  { count: 1, outer: 3, dim: 513, inner: 1 },
  // In the middle of a tensor.
  { count: 1, outer: 3, dim: 4, inner: 9 },
  { count: 1, outer: 6, dim: 16, inner: 25 },
  // Without elements.
  { count: 1, outer: 1, dim: 0, inner: 3 },
  { count: 1, outer: 1, dim: 3, inner: 0 },
  { count: 1, outer: 0, dim: 3, inner: 2 },
  { count: 1, outer: 0, dim: 3, inner: 1 },
  // Several tensors: small ones, one element each, large ones, none.
  { count: 3, outer: 1, dim: 5, inner: 7 },
  { count: 3, outer: 5, dim: 7, inner: 1 },
  { count: 2, outer: 3, dim: 4, inner: 2 },
  { count: 37, outer: 1, dim: 1, inner: 1 },
  { count: 2, outer: 1, dim: 128, inner: 65 },
  { count: 0, outer: 1, dim: 2, inner: 3 },
];

const show = ({ count, outer, dim, inner }: Mode): string =>
  `[${count}, ${outer}, ${dim}, ${inner}]`;
const sizeOf = ({ count, outer, dim, inner }: Mode): number => count * outer * dim * inner;

const matrices = ({ count, dim }: Mode) =>
  f32([count, dim, dim], random(count * dim ** 2, { seed: 3 }));

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
    f32(
      [mode.count, (mode.dim * (mode.dim + 1)) / 2],
      Array.from({ length: mode.count }, (_, t) => packed(symmetric(mode.dim, 3 + t))).flat(),
    ),
    f32([sizeOf(mode)], random(sizeOf(mode), { seed: 4 })),
  ],
  build: ([block, statistic, g]) => {
    modeGram(block, statistic, g, mode, { decay, scale });
    return [statistic];
  },
  oracle: ([, statistic, g]) => {
    if (status[0] !== 0 || status[1] !== 0) return [statistic];
    const { outer, dim, inner } = mode;
    const places = Array.from({ length: dim }, (_, r) =>
      Array.from({ length: r + 1 }, (_, c) => [r, c]),
    ).flat();
    return [
      statistic.map((old, k) => {
        const t = Math.floor(k / places.length);
        const [row, column] = places[k % places.length];
        const at = (o: number, d: number, i: number) => g[((t * outer + o) * dim + d) * inner + i];
        let sum = 0;
        for (let o = 0; o < outer; o++)
          for (let i = 0; i < inner; i++) sum += at(o, row, i) * at(o, column, i);
        return decay * old + scale * sum;
      }),
    ];
  },
  // Sums of products up to 4 each: the error is of their sizes, not of what cancels.
  tolerance: { rel: 3e-6, abs: 1e-6 * Math.max(4, mode.outer * mode.inner) },
});

const apply = (mode: Mode, transposed: boolean): Case => ({
  op: 'modeApply',
  name: `${show(mode)}${transposed ? ', transposed' : ''}`,
  inputs: [matrices(mode), f32([sizeOf(mode)], random(sizeOf(mode), { seed: 6 }))],
  build: ([matrix, x]) => [modeApply(matrix, x, mode, { transposed })],
  oracle: ([matrix, x]) => {
    const { outer, dim, inner } = mode;
    return [
      x.map((_, k) => {
        const i = k % inner;
        const d = Math.floor(k / inner) % dim;
        const o = Math.floor(k / (inner * dim));
        const p = Math.floor(o / outer) * dim ** 2;
        let sum = 0;
        for (let j = 0; j < dim; j++) {
          const entry = transposed ? matrix[p + j * dim + d] : matrix[p + d * dim + j];
          sum += entry * x[(o * dim + j) * inner + i];
        }
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
  ...MODES.flatMap((mode) => [apply(mode, false), apply(mode, true)]),
];
