/** Polar factors: the iterations against matrix products in doubles, the exact ones against eigenvectors. */
import { findOp } from '../../../src/ops/define.ts';
import { leadingPair, type Orthogonalizer, orthogonalize } from '../../../src/ops/orthogonalize.ts';
import { exactFactor, iterated, leadingFactor } from '../../optim/oracles/polar.ts';
import { f32, i32, random } from '../data.ts';
import { type Case, MOMENT, type Tensor } from '../harness.ts';

const SHAPES: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [1, 1, 9],
  [1, 9, 1],
  [2, 3, 3],
  [3, 4, 7],
  [3, 7, 4],
  [1, 16, 16],
  [1, 17, 33],
  [1, 33, 17],
  [5, 6, 25],
  [1, 0, 3],
  [1, 3, 0],
  [0, 3, 2],
];

const rowsOf = (data: ArrayLike<number>, rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_, c) => data[r * columns + c]),
  );

/** What comes of each matrix. */
const ORACLES = {
  exact: exactFactor,
  leading: leadingFactor,
  'newton-schulz': (x: number[][]) => iterated(x, 'newton-schulz'),
  'polar-express': (x: number[][]) => iterated(x, 'polar-express'),
};

function polar(name: string, method: Orthogonalizer | 'leading', inputs: readonly Tensor[]): Case {
  const iterates = method === 'newton-schulz' || method === 'polar-express';
  return {
    op: 'orthogonalize',
    name: `${method} of ${name}`,
    inputs,
    build: (batches) =>
      method === 'leading' ? leadingPair(batches) : orthogonalize(batches, method),
    oracle: (batches) =>
      batches.map((data, i) => {
        const [count, rows, columns] = inputs[i].shape;
        const size = rows * columns;
        return Array.from({ length: size === 0 ? 0 : count }, (_, k) => {
          const x = rowsOf(data.subarray(k * size, (k + 1) * size), rows, columns);
          return ORACLES[method](x).flat();
        }).flat();
      }),
    // The iterations make errors in small singular values up to 1000 times as large.
    tolerance: iterates ? { abs: 1e-4 } : { rel: 1e-6, abs: 1e-7 },
  };
}

const draw = (shape: readonly [number, number, number], seed: number): Tensor =>
  f32(shape, random(shape[0] * shape[1] * shape[2], { seed }));

/** Large enough that all threads share one. */
const LARGE = [1, 100, 110] as const;

/** One turn X ← (aI + bA + cA²)X with A = XXᵀ of a matrix of ‖X‖_F = 1: all of its products have `order` ≥ 512 terms. */
const turn = (order: number): Case => {
  const [a, b, c] = [3.4445, -4.775, 2.0315];
  const times = (x: Float64Array, y: Float64Array): Float64Array => {
    const z = new Float64Array(order ** 2);
    for (let i = 0; i < order; i++)
      for (let k = 0; k < order; k++)
        for (let j = 0; j < order; j++) z[i * order + j] += x[i * order + k] * y[k * order + j];
    return z;
  };
  return {
    op: 'orthogonalize',
    name: `one turn of a matrix of order ${order}`,
    inputs: [draw([1, order, order], 62)],
    build: (batches) =>
      batches[0].graph.add(findOp('orthogonalize'), batches, {
        coefficients: [a, b, c],
        safety: 1,
        epsilon: 0,
        leading: 0,
        sweeps: 0,
        settled: 0,
        tensors: [],
        stepSlot: 0,
      }),
    oracle: ([given]) => {
      const norm = Math.sqrt(given.reduce((sum, v) => sum + v * v, 0));
      const x = given.map((v) => v / norm);
      const gram = times(
        x,
        x.map((_, at) => x[(at % order) * order + Math.floor(at / order)]),
      );
      const polynomial = times(gram, gram).map(
        (v, at) => c * v + b * gram[at] + (at % (order + 1) === 0 ? a : 0),
      );
      return [times(polynomial, x)];
    },
    tolerance: { abs: 1e-6 },
  };
};

/** Exact factors with one sweep, which does for a single row and for rows that are orthogonal already. */
const inOneSweep = (status: readonly number[], after: readonly number[]): Case => ({
  op: 'orthogonalize',
  name: `factors that do not converge in one sweep, status ${status.slice(0, 2)}`,
  inputs: [i32([8], status), draw([1, 1, 5], 65), draw([2, 3, 4], 66), draw([1, 6, 5], 67)],
  build: ([block, ...batches], graph) => [
    block,
    ...graph.add(findOp('orthogonalize'), [block, ...batches], {
      coefficients: [],
      safety: 1,
      epsilon: 0,
      leading: 0,
      sweeps: 1,
      settled: 1,
      tensors: [7, 3, 4],
      stepSlot: graph.step.index,
    }),
  ],
  oracle: ([, row]) => [
    [...after],
    exactFactor([[...row]]).flat(),
    new Float64Array(24).fill(NaN),
    new Float64Array(30).fill(NaN),
  ],
  moments: [{ ...MOMENT, step: 41 }],
  tolerance: { rel: 1e-6, abs: 1e-7 },
});

export const cases: Case[] = [
  inOneSweep([0, 0, 0, 0, 0, 0, 0, 0], [6, 0, 3, 41, 0, 0, 0, 0]),
  inOneSweep([0, 1, 2, 9, 1, 0, 0, 0], [0, 1, 2, 9, 1, 0, 0, 0]),
  inOneSweep([1, 0, 2, 9, 0, 0, 0, 0], [1, 0, 2, 9, 0, 0, 0, 0]),
  ...(['newton-schulz', 'polar-express', 'exact', 'leading'] as const).flatMap((method) => [
    polar(
      'every shape',
      method,
      SHAPES.map((shape, i) => draw(shape, 40 + i)),
    ),
    polar('a zero matrix', method, [f32([2, 2, 3], new Float32Array(12))]),
    polar('a large scale', method, [f32([1, 2, 3], [1e30, 2e30, -1e30, 3e30, 1e30, 1e29])]),
  ]),
  polar('a large matrix', 'newton-schulz', [draw(LARGE, 60), draw([4, 5, 3], 61)]),
  // Products over 512 terms and more, which gemm.h of CUDA cuts into pieces.
  ...(['newton-schulz', 'polar-express'] as const).flatMap((method) => [
    polar('a wide matrix of long rows', method, [draw([1, 40, 700], 63)]),
    polar('a tall matrix of long columns', method, [draw([1, 1040, 33], 64)]),
  ]),
  turn(512),
  polar('equal singular values', 'leading', [f32([1, 2, 2], [0, 3, 3, 0])]),
  polar('a matrix of rank 1', 'exact', [f32([1, 2, 3], [1, 2, 2, 2, 4, 4])]),
  polar('singular values 1 and 1e-6', 'exact', [f32([1, 2, 2], [1, 0, 0, 1e-6])]),
];
