/** Rows normalised by their own statistics. */
import type { Shape } from '../../../src/graph/types.ts';
import * as ops from '../../../src/ops/index.ts';
import { CHUNK, f32, random } from '../data.ts';
import type { Case } from '../harness.ts';

const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);
const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / Math.max(1, x.length);

const EPS = 1e-5;

/** [x, its last dimensions, what x is moved by] */
const SHAPES: readonly (readonly [Shape, number, number?])[] = [
  [[5, 3], 1],
  [[1, 1], 1],
  [[4, 7], 1],
  [[9, 8], 1],
  [[3, 16], 1],
  [[3, 17], 1],
  [[2, 3, 33], 1],
  [[4, 3, 5], 2],
  [[6], 1],
  [[0, 4], 1],
  [[3, 0], 1],
  [[20, 64], 1, 100],
  [[65, 40], 1],
  [[700, 30], 1],
  [[3, CHUNK + 5], 1],
];

const layers = SHAPES.flatMap(([shape, dims, shift = 0]) =>
  (['layerNorm', 'layerNorm without bias', 'rmsNorm'] as const).flatMap((name) => {
    const last = shape.slice(shape.length - dims);
    const width = sizeOf(last);
    const biased = name === 'layerNorm';
    const oracle: Case['oracle'] = ([x, weight, bias]) => [
      Array.from({ length: width === 0 ? 0 : x.length / width }, (_, r) => {
        const row = [...x.subarray(r * width, (r + 1) * width)];
        const middle = name === 'rmsNorm' ? 0 : mean(row);
        const scale = Math.sqrt(mean(row.map((v) => (v - middle) ** 2)) + EPS);
        return row.map((v, i) => ((v - middle) / scale) * weight[i] + (bias?.[i] ?? 0));
      }).flat(),
    ];
    const scale = Math.max(1, shift);
    return ['layerNorm', 'layerNormGrad'].map(
      (op): Case => ({
        op,
        name: `${name} of [${shape}] by [${last}]${shift === 0 ? '' : ` around ${shift}`}`,
        inputs: [
          f32(
            shape,
            random(sizeOf(shape), { seed: 1 }).map((v) => v + shift),
          ),
          f32(last, random(width, { seed: 2, gap: 0.1 })),
          ...(biased ? [f32(last, random(width, { seed: 3 }))] : []),
        ],
        build: ([x, weight, bias]) => [
          name === 'rmsNorm' ? ops.rmsNorm(x, weight, EPS) : ops.layerNorm(x, weight, bias, EPS),
        ],
        oracle,
        gradient: op === 'layerNorm' ? undefined : biased ? [0, 1, 2] : [0, 1],
        tolerance: { rel: 1e-6, abs: 1e-6 },
        // The mean is kept in float32.
        gradientTolerance: { rel: 1e-5, abs: 2e-5 * scale },
      }),
    );
  }),
);

export const cases: Case[] = layers;
