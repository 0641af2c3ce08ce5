/**
 * Functions of batches of symmetric matrices. Vectors are checked by what they make, since their signs are open. Roots
 * by coupled Newton are in test/linalg, as cases/roots.ts says.
 */
import { mul } from '../../../src/ops/binary.ts';
import { matmul } from '../../../src/ops/linear.ts';
import { eigh, inverseRoot } from '../../../src/ops/matrices.ts';
import { reshape } from '../../../src/ops/reshape.ts';
import { jacobi, type Rows } from '../../optim/oracles/matrix.ts';
import { f32, random, symmetric } from '../data.ts';
import type { Case } from '../harness.ts';

const ORDERS = [0, 1, 2, 3, 7, 8, 9, 16, 17, 33];

const matricesOf = (data: Float64Array, n: number): Rows[] =>
  Array.from({ length: n === 0 ? 0 : data.length / (n * n) }, (_, i) =>
    Array.from({ length: n }, (_, r) => [...data.subarray((i * n + r) * n, (i * n + r + 1) * n)]),
  );

const batch = (count: number, n: number, matrix: (i: number) => ArrayLike<number>) =>
  f32([count, n, n], Array.from({ length: count }, (_, i) => Array.from(matrix(i))).flat());

const values = (count: number, n: number): Case => ({
  op: 'eigh',
  name: `values of [${count}, ${n}, ${n}]`,
  inputs: [batch(count, n, (i) => symmetric(n, 80 + i))],
  build: ([a]) => [eigh(a).values],
  oracle: ([a]) => [matricesOf(a, n).flatMap((m) => jacobi(m).values.sort((x, y) => x - y))],
  tolerance: { rel: 1e-6, abs: 1e-6 },
});

/** Vᵀ·diag(values)·V and V·Vᵀ. */
const vectors = (n: number, data: ArrayLike<number>, name: string): Case => ({
  op: 'eigh',
  name: `vectors of ${name}`,
  inputs: [f32([1, n, n], data)],
  build: ([a]) => {
    const eigen = eigh(a);
    const rows = reshape(eigen.vectors, [n, n]);
    const scaled = mul(reshape(eigen.values, [n, 1]), rows);
    return [matmul(scaled, rows, { transA: true }), matmul(rows, rows, { transB: true })];
  },
  oracle: ([a]) => [a, a.map((_, i) => (i % (n + 1) === 0 ? 1 : 0))],
  tolerance: { rel: 3e-6, abs: 3e-6 },
});

/** I + BBᵀ/n with B in (−1, 1). */
function positive(n: number, seed: number): Float32Array {
  const b = random(n * n, { seed, low: -1, high: 1 });
  return Float32Array.from({ length: n * n }, (_, k) => {
    const [r, c] = [Math.floor(k / n), k % n];
    let sum = r === c ? 1 : 0;
    for (let j = 0; j < n; j++) sum += (b[r * n + j] * b[c * n + j]) / n;
    return sum;
  });
}

const root = (count: number, n: number, p: number, ridge = 0, epsilon = 0): Case => ({
  op: 'inverseRoot',
  name: `[${count}, ${n}, ${n}], p = ${p}, ridge ${ridge}, ε ${epsilon}`,
  inputs: [batch(count, n, (i) => positive(n, 90 + i))],
  build: ([a]) => {
    const { roots, outcomes } = inverseRoot(a, { p, ridge, epsilon, method: 'eigh' });
    return [roots, outcomes];
  },
  oracle: ([a]) => [
    matricesOf(a, n).flatMap((m) => {
      const eigen = jacobi(m);
      const largest = Math.max(...eigen.values) + epsilon;
      const powers = eigen.values.map((x) => (x + epsilon + ridge * largest) ** (-1 / p));
      return eigen.vectors.flatMap((row) =>
        eigen.vectors.map((other) => row.reduce((sum, x, j) => sum + x * powers[j] * other[j], 0)),
      );
    }),
    Array.from({ length: count }, () => [0, 1]).flat(),
  ],
  tolerance: { rel: 2e-5, abs: 2e-6 },
});

/** Failures beside a root that is fine. */
const failures: Case = {
  op: 'inverseRoot',
  name: 'zero, negative, NaN and fine',
  inputs: [f32([4, 2, 2], [0, 0, 0, 0, -1, 0, 0, -2, NaN, 0, 0, 1, 4, 0, 0, 16])],
  build: ([a]) => {
    const traced = inverseRoot(a, { p: 2, ridge: 0, epsilon: 0, method: 'eigh' });
    return [traced.roots, traced.outcomes];
  },
  oracle: () => [
    [...Array(12).fill(NaN), 0.5, 0, 0, 0.25],
    [0, 0, 0, 0, 0, 0, 0, 1],
  ],
};

const residuals: Case = {
  op: 'inverseRoot',
  name: 'residuals where there is no root',
  inputs: [f32([2, 1, 1], [0, -3])],
  build: ([a]) => [inverseRoot(a, { p: 1, ridge: 0, epsilon: 0, method: 'eigh' }).residuals],
  oracle: () => [[Infinity, Infinity]],
};

export const cases: Case[] = [
  ...ORDERS.map((n) => values(3, n)),
  values(0, 4),
  ...ORDERS.map((n) => vectors(n, symmetric(n, 70), `[1, ${n}, ${n}]`)),
  vectors(3, [2, 0, 0, 0, 2, 0, 0, 0, 2], 'equal values'),
  vectors(2, [0, 0, 0, 0], 'a zero matrix'),
  {
    ...values(1, 2),
    name: 'a NaN',
    inputs: [f32([1, 2, 2], [1, NaN, NaN, 1])],
    oracle: () => [[NaN, NaN]],
  },
  ...ORDERS.map((n, i) => root(3, n, [2, 4, 1, 8, 2.5][i % 5])),
  root(2, 9, 4, 0.05, 0.1),
  root(0, 4, 2),
  failures,
  residuals,
];
