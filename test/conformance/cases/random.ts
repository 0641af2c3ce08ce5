import { pullback } from '../../../src/autodiff/gradients.ts';
import type { Value } from '../../../src/graph/graph.ts';
import type { Moment } from '../../../src/graph/moment.ts';
import { dropout } from '../../../src/ops/dropout.ts';
import { drawUniform, setDiagonal } from '../../../src/ops/initialise.ts';
import { sampleLabels } from '../../../src/ops/sample_labels.ts';
import { sampleNormal } from '../../../src/ops/sample_normal.ts';
import { philoxBlock, STREAM } from '../../../src/random/philox.ts';
import { normal } from '../../random/normal.ts';
import { CHUNK, f32, random, SIZES } from '../data.ts';
import { type Case, MOMENT } from '../harness.ts';

/** One word at a time, by Philox alone. */
function uniform({ seed, step }: Moment, stream: number, element: number): number {
  const words = new Uint32Array(4);
  philoxBlock(words, { seed, stream, step }, Math.floor(element / 4));
  return Math.floor(words[element % 4] / 256) / 2 ** 24;
}

const MOMENTS: readonly Moment[] = [
  MOMENT,
  { ...MOMENT, step: 4_000_000_000, seed: 2 ** 53 - 1 },
  { ...MOMENT, step: 2, seed: 0 },
];

const dropouts = SIZES.flatMap((n) =>
  [0.5, 0.1, 0.999].map(
    (p, i): Case => ({
      op: 'dropout',
      name: `[${n}] with p = ${p}`,
      inputs: [f32([n], random(n))],
      build: ([x]) => [dropout(x, { p, stream: 3 + i * 2 ** 30 })],
      oracle: ([x], [moment]) => [
        x.map((v, k) => (uniform(moment, 3 + i * 2 ** 30, k) >= p ? v / (1 - p) : 0)),
      ],
      gradient: [0],
      moments: [MOMENTS[i]],
      // A relative tolerance: zeros must be zeros, so the mask is equal to the bit.
      tolerance: { rel: 2e-7, abs: 0 },
      gradientTolerance: { rel: 2e-7, abs: 0 },
    }),
  ),
);

function draw(row: Float64Array, u: number): number {
  let sum = 0;
  const first = row.findIndex((p) => {
    sum += p;
    return sum > u;
  });
  return first === -1
    ? Math.max(
        0,
        row.findLastIndex((p) => p > 0),
      )
    : first;
}

/** Rows that sum to 1 but for float32 rounding, or to `total`. */
function rowsSummingTo(rows: number, classes: number, total: number): Float32Array {
  const x = random(rows * classes, { seed: 11, low: 0, high: 1 });
  return x.map((v, i) => {
    const begin = Math.floor(i / classes) * classes;
    return (total * v) / x.subarray(begin, begin + classes).reduce((a, b) => a + b, 0);
  });
}

const labels = (name: string, rows: number, classes: number, data: ArrayLike<number>): Case => ({
  op: 'sampleLabels',
  name,
  inputs: [f32([rows, classes], data)],
  build: ([x]) => [sampleLabels(x)],
  oracle: ([x], moments) => [
    Array.from({ length: rows }, (_, r) =>
      draw(
        x.slice(r * classes, (r + 1) * classes),
        uniform(moments[moments.length - 1], STREAM.labels, r),
      ),
    ),
  ],
  moments: MOMENTS,
  tolerance: { rel: 0 },
});

const normals = SIZES.map(
  (n, i): Case => ({
    op: 'sampleNormal',
    name: `[${n}]`,
    inputs: [f32([n], random(n))],
    build: ([mean]) => [sampleNormal(mean)],
    oracle: ([mean], [moment]) => [
      mean.map((m, k) => m + normal({ ...moment, stream: STREAM.labels }, k)),
    ],
    moments: [MOMENTS[i % MOMENTS.length]],
    // 4 ulp of the largest normal there is.
    tolerance: { rel: 1e-6, abs: 2e-6 },
  }),
);

const beginnings = [...SIZES, CHUNK + 5].map(
  (n, i): Case => ({
    op: 'drawUniform',
    name: `[${n}]`,
    inputs: [f32([n], random(n))],
    build: ([x]) => {
      drawUniform(x, 0.1 + i, STREAM.init + i);
      return [x];
    },
    oracle: ([x], moments) => [
      x.map((_, k) => Math.fround((2 * uniform(moments[0], STREAM.init + i, k) - 1) * (0.1 + i))),
    ],
    moments: [MOMENTS[i % MOMENTS.length]],
    // Equal to the bit.
    tolerance: { rel: 0, abs: 0 },
  }),
);

const diagonals = [0, 1, 2, 5, 17].flatMap((n) =>
  [false, true].map(
    (packed): Case => ({
      op: 'setDiagonal',
      name: `three of order ${n}${packed ? ', packed' : ''}`,
      inputs: [
        f32(
          packed ? [3, (n * (n + 1)) / 2] : [3, n, n],
          random(3 * (packed ? (n * (n + 1)) / 2 : n * n)),
        ),
      ],
      build: ([x]) => {
        setDiagonal(x, 0.1, { packed });
        return [x];
      },
      oracle: ([x]) => {
        const y = x.slice();
        for (let m = 0; m < 3; m++) {
          for (let k = 0; k < n; k++) {
            const before = packed ? (k * (k + 1)) / 2 : k * n;
            y[(m * y.length) / 3 + before + k] = 0.1;
          }
        }
        return [y];
      },
    }),
  ),
);

const dropoutGrads = SIZES.map((n): Case => {
  const stream = 7;
  return {
    op: 'dropoutGrad',
    name: `[${n}], where dropout drew the mask`,
    inputs: [f32([n], random(n)), f32([n], random(n, { seed: 2 }))],
    build: ([x, dy]) => [pullback(dropout(x, { p: 0.3, stream }), dy, [x])[0] as Value],
    oracle: ([, dy], [moment]) => [
      dy.map((v, k) => (uniform(moment, stream, k) >= 0.3 ? v / 0.7 : 0)),
    ],
    moments: [MOMENTS[1]],
    tolerance: { rel: 2e-7, abs: 0 },
  };
});

export const cases: Case[] = [
  ...dropouts,
  ...dropoutGrads,
  ...normals,
  ...beginnings,
  ...diagonals,
  {
    op: 'dropout',
    name: 'p = 0 is the identity',
    inputs: [f32([5], [1, NaN, -0, Infinity, 3])],
    build: ([x]) => [dropout(x, { p: 0, stream: 0 })],
    oracle: ([x]) => [x],
  },
  ...(
    [
      [0, 3],
      [1, 1],
      [5, 2],
      [17, 10],
      [33, 101],
      [4000, 10],
    ] as const
  ).map(([rows, classes]) =>
    labels(`[${rows}, ${classes}]`, rows, classes, rowsSummingTo(rows, classes, 1)),
  ),
  labels('more than a chunk of classes', 2, CHUNK + 3, rowsSummingTo(2, CHUNK + 3, 1)),
  labels('sums far below 1 stay in range', 64, 7, rowsSummingTo(64, 7, 0.25)),
  labels('nothing but NaN', 5, 3, Array(15).fill(NaN)),
  labels(
    'a class that is impossible',
    64,
    3,
    Array.from({ length: 192 }, (_, i) => [0, 0.5, 0][i % 3]),
  ),
];
