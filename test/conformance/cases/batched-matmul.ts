/** Products of many matrices, whose leading dimensions are broadcast. */
import type { Shape } from '../../../src/graph/types.ts';
import * as ops from '../../../src/ops/index.ts';
import { f32, random } from '../data.ts';
import type { Case } from '../harness.ts';

const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** The matrix of a batch index of `out` in a tensor of leading dimensions `lead`. */
function matrixAt(lead: Shape, out: Shape, batch: number): number {
  let rest = batch;
  let index = 0;
  let stride = 1;
  for (let d = out.length - 1; d >= 0; d--) {
    const size = lead[d - out.length + lead.length] ?? 1;
    index += (size === 1 ? 0 : rest % out[d]) * stride;
    stride *= size;
    rest = Math.floor(rest / out[d]);
  }
  return index;
}

interface Product {
  readonly a: Shape;
  readonly b: Shape;
  readonly out: Shape;
  readonly transA?: boolean;
  readonly transB?: boolean;
}

const PRODUCTS: readonly Product[] = [
  { a: [3, 4, 5], b: [3, 5, 6], out: [3, 4, 6] },
  { a: [1, 1, 1], b: [1, 1, 1], out: [1, 1, 1] },
  { a: [2, 3, 4, 5], b: [5, 6], out: [2, 3, 4, 6] },
  { a: [2, 3, 4, 5], b: [3, 5, 6], out: [2, 3, 4, 6] },
  { a: [4, 5], b: [3, 5, 6], out: [3, 4, 6] },
  { a: [2, 1, 4, 5], b: [1, 3, 5, 6], out: [2, 3, 4, 6] },
  { a: [3, 4, 5], b: [3, 6, 5], transB: true, out: [3, 4, 6] },
  { a: [3, 5, 4], b: [3, 5, 6], transA: true, out: [3, 4, 6] },
  { a: [3, 5, 4], b: [6, 5], transA: true, transB: true, out: [3, 4, 6] },
  { a: [3, 4, 5], b: [6, 5], transB: true, out: [3, 4, 6] },
  { a: [0, 4, 5], b: [5, 6], out: [0, 4, 6] },
  { a: [2, 0, 5], b: [2, 5, 6], out: [2, 0, 6] },
  { a: [2, 4, 0], b: [2, 0, 6], out: [2, 4, 6] },
  { a: [40, 17, 33], b: [40, 33, 9], out: [40, 17, 9] },
  { a: [2, 12, 16, 64], b: [2, 12, 16, 64], transB: true, out: [2, 12, 16, 16] },
  { a: [3, 160, 170], b: [3, 170, 160], out: [3, 160, 160] },
];

/** Just below and above what makes a matrix large: 2²² products. */
const LARGE: readonly Product[] = [
  { a: [2, 128, 255], b: [2, 255, 128], out: [2, 128, 128] },
  { a: [2, 128, 256], b: [256, 128], transA: false, out: [2, 128, 128] },
  { a: [2, 256, 128], b: [2, 256, 128], transA: true, out: [2, 128, 128] },
];

const products = [...PRODUCTS, ...LARGE].map(
  ({ a, b, out, transA = false, transB = false }): Case => {
    const [m, n] = out.slice(-2);
    const k = a[a.length - (transA ? 2 : 1)];
    const lead = out.slice(0, -2);
    return {
      op: a.length > 2 && b.length === 2 && !transA ? 'matmul' : 'batchedMatmul',
      name: `[${a}]${transA ? 'ᵀ' : ''} [${b}]${transB ? 'ᵀ' : ''}`,
      inputs: [f32(a, random(sizeOf(a), { seed: 1 })), f32(b, random(sizeOf(b), { seed: 2 }))],
      build: ([x, y]) => [ops.matmul(x, y, { transA, transB })],
      oracle: ([x, y]) => [
        Array.from({ length: sizeOf(out) }, (_, at) => {
          const batch = Math.floor(at / (m * n));
          const [i, j] = [Math.floor(at / n) % m, at % n];
          const left = matrixAt(a.slice(0, -2), lead, batch) * m * k;
          const right = matrixAt(b.slice(0, -2), lead, batch) * k * n;
          let sum = 0;
          for (let p = 0; p < k; p++) {
            sum +=
              x[left + (transA ? p * m + i : i * k + p)] *
              y[right + (transB ? j * k + p : p * n + j)];
          }
          return sum;
        }),
      ],
      gradient: [0, 1],
      // Of sums that cancel: 2⁻²⁴ of each of k terms up to 4.
      tolerance: { rel: 1e-5, abs: 1e-6 * Math.max(4, Math.sqrt(k)) },
      gradientTolerance: { rel: 1e-5, abs: 2e-5 * Math.max(1, Math.sqrt(Math.max(m, n))) },
    };
  },
);

export const cases: Case[] = products;
