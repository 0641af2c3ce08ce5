import { linear, matmul } from '../../../src/ops/linear.ts';
import { f32, random } from '../data.ts';
import type { Case, Tolerance } from '../harness.ts';

/** [m, n, k] */
const PRODUCTS = [
  [0, 3, 4],
  [3, 0, 4],
  [3, 4, 0],
  [1, 1, 1],
  [1, 33, 17],
  [33, 1, 17],
  [3, 5, 7],
  [4, 8, 16],
  [7, 15, 9],
  [17, 17, 17],
  [64, 10, 84],
  [65, 33, 129],
  [10, 784, 32],
  [48, 49, 2100],
  // Of gradients, the terms are m or n: 512 and more are cut into pieces by gemm.h of CUDA.
  [1030, 5, 3],
  [5, 1030, 3],
] as const;

/** Errors grow with the sum of absolute products, each below 4. */
const grown = (k: number): Tolerance => ({ rel: 1e-6, abs: 1e-7 * (k + 10) });

function product(
  m: number,
  n: number,
  k: number,
  a: (i: number, l: number) => number,
  b: (l: number, j: number) => number,
): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let l = 0; l < k; l++) out[i * n + j] += a(i, l) * b(l, j);
    }
  }
  return out;
}

const transposes = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

const matmuls = PRODUCTS.flatMap(([m, n, k]) =>
  transposes.map(
    ([transA, transB]): Case => ({
      op: 'matmul',
      name: `[${m}, ${k}]${transA ? 'ᵀ' : ''} · [${k}, ${n}]${transB ? 'ᵀ' : ''}`,
      inputs: [
        f32(transA ? [k, m] : [m, k], random(m * k, { seed: 5 })),
        f32(transB ? [n, k] : [k, n], random(k * n, { seed: 6 })),
      ],
      build: ([a, b]) => [matmul(a, b, { transA, transB })],
      oracle: ([a, b]) => [
        product(
          m,
          n,
          k,
          (i, l) => (transA ? a[l * m + i] : a[i * k + l]),
          (l, j) => (transB ? b[j * k + l] : b[l * n + j]),
        ),
      ],
      gradient: m * n * k < 16_000 ? [0, 1] : undefined,
      tolerance: grown(k),
      gradientTolerance: grown(Math.max(m, n)),
    }),
  ),
);

const linears = PRODUCTS.flatMap(([m, n, k]) =>
  [true, false].map(
    (bias): Case => ({
      op: 'linear',
      name: `[${m}, ${k}] to ${n}${bias ? ' with bias' : ''}`,
      inputs: [
        f32([m, k], random(m * k, { seed: 5 })),
        f32([n, k], random(k * n, { seed: 6 })),
        ...(bias ? [f32([n], random(n, { seed: 7 }))] : []),
      ],
      build: ([x, w, b]) => [linear(x, w, b)],
      oracle: ([x, w, b]) => [
        product(
          m,
          n,
          k,
          (i, l) => x[i * k + l],
          (l, j) => w[j * k + l],
        ).map((y, at) => y + (b?.[at % n] ?? 0)),
      ],
      gradient: bias ? [0, 1, 2] : [0, 1],
      tolerance: grown(k),
      gradientTolerance: grown(Math.max(m, n)),
    }),
  ),
);

export const cases: Case[] = [...matmuls, ...linears];
