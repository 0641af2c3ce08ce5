/** Losses made of several ops, their gradients and tangents, as PyTorch's documentation defines them. */
import type { Loss } from '../../../src/nn/loss.ts';
import {
  binaryCrossEntropy,
  huber,
  meanAbsoluteError,
  meanSquaredError,
} from '../../../src/nn/mean-losses.ts';
import { f32, random } from '../data.ts';
import type { Case } from '../harness.ts';

const SHAPES = [[1], [3, 1], [5, 2], [4, 2, 3], [33, 17]];
const HUBER = 0.3;

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const LOSSES: readonly { loss: Loss; of: (f: number, y: number) => number }[] = [
  { loss: meanSquaredError(), of: (f, y) => (f - y) ** 2 },
  { loss: meanAbsoluteError(), of: (f, y) => Math.abs(f - y) },
  {
    loss: huber({ delta: HUBER }),
    of: (f, y) => {
      const e = Math.abs(f - y);
      return e <= HUBER ? e ** 2 / 2 : HUBER * (e - HUBER / 2);
    },
  },
  { loss: binaryCrossEntropy(), of: (x, y) => y * softplus(-x) + (1 - y) * softplus(x) },
];

/** Numbers from 0 to 1, as targets of every one of these losses. */
const chances = (size: number): Float32Array => random(size, { seed: 5, low: 0, high: 1 });

export const cases: Case[] = LOSSES.flatMap(({ loss, of }) => [
  ...SHAPES.flatMap((shape): Case[] => {
    const size = shape.reduce((n, d) => n * d, 1);
    const [rows] = shape;
    const inputs = [
      f32(
        shape,
        random(size, { seed: 4 }).map((v) => 3 * v),
      ),
      f32(shape, chances(size)),
    ];
    const weights = random(rows, { seed: 6, low: 0, high: 1 });
    return [
      {
        op: loss.name,
        name: `[${shape}]`,
        inputs,
        build: ([f, y]) => [loss.trace(f, y)],
        oracle: ([f, y]) => [[f.reduce((sum, v, i) => sum + of(v, y[i]), 0) / size]],
        gradient: [0],
      },
      {
        op: loss.name,
        name: `[${shape}], rows that weigh differently`,
        inputs: [...inputs, f32([rows], weights)],
        build: ([f, y, shares]) => [loss.trace(f, y, shares)],
        oracle: ([f, y, shares]) => {
          const each = size / rows;
          return [
            [f.reduce((s, v, i) => s + shares[Math.floor(i / each)] * of(v, y[i]), 0) / each],
          ];
        },
        gradient: [0],
      },
    ];
  }),
  {
    op: loss.name,
    name: 'outputs of every size',
    ...(loss.name === 'binaryCrossEntropy' && {
      once: 'it is made of |x|, whose second derivative at 0 is taken for 0',
    }),
    inputs: [
      f32([6, 2], [0, 0, 40, -40, 150, -150, 0.02, -0.02, 8, -8, 20, -20]),
      f32([6, 2], [1, 0.5, 1, 0, 0, 1, 1, 0, 0.25, 0.75, 1, 1]),
    ],
    build: ([f, y]) => [loss.trace(f, y)],
    oracle: ([f, y]) => [[f.reduce((sum, v, i) => sum + of(v, y[i]), 0) / f.length]],
    gradient: [0],
  },
]);
