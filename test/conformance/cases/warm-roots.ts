/** Inverse roots from a basis: the roots, and that the bases left are orthonormal and those of eigenvectors. */
import { mul, sub } from '../../../src/ops/binary.ts';
import { matmul } from '../../../src/ops/linear.ts';
import { sum } from '../../../src/ops/reduce.ts';
import { reshape } from '../../../src/ops/reshape.ts';
import { inverseRoots } from '../../../src/ops/roots.ts';
import { identity, jacobi, multiply, type Rows, transpose } from '../../optim/oracles/matrix.ts';
import { f32, i32, packed, positive, random } from '../data.ts';
import { type Case, MOMENT } from '../harness.ts';

interface Root {
  readonly statistic: Float32Array;
  /** Rows to begin from. */
  readonly basis: Float32Array;
  readonly p?: number;
}

const orderOf = (matrix: Float32Array): number => Math.sqrt(matrix.length);
const constant = (n: number, value: number) => new Float32Array(n * n).fill(value);

const eigenOf = (matrix: Float32Array) => {
  const n = orderOf(matrix);
  const rows: Rows = Array.from({ length: n }, (_, r) => [...matrix.subarray(r * n, (r + 1) * n)]);
  return jacobi(rows);
};

/** Twice in a row, so that the second begins from what the first left. */
function warm(name: string, list: readonly Root[], epsilon = 0): Case {
  return {
    op: 'inverseRoots',
    name: `warm: ${name}`,
    inputs: [
      i32([8], Array<number>(8).fill(0)),
      i32([list.length], Array<number>(list.length).fill(0)),
      i32([1], [3]),
      ...list.flatMap(({ statistic, basis }) => {
        const n = orderOf(statistic);
        const triangle = packed(statistic);
        return [
          f32([1, triangle.length], triangle),
          f32([1, n, n], constant(n, 0.5)),
          f32([1, n, n], basis),
          f32([n, n], statistic),
        ];
      }),
    ],
    build: ([status, failures, updates, ...values]) => {
      const requests = list.map(({ p = 4 }, tensor) => {
        const [statistics, roots, bases, whole] = values.slice(4 * tensor);
        return { statistics, roots, bases, whole, p, tensor };
      });
      const options = { epsilon, ridge: 0, method: 'warm' as const, beta: 1 };
      inverseRoots(status, { failures, updates }, requests, options);
      const checks = requests.flatMap(({ roots, bases, whole }) => {
        const basis = reshape(bases, whole.shape);
        const turned = matmul(basis, whole);
        const quotients = sum(mul(turned, basis), [1]);
        // |Av|² − (vᵀAv)², 0 of eigenvectors
        const apart = sub(sum(mul(turned, turned), [1]), mul(quotients, quotients));
        return [roots, matmul(basis, basis, { transB: true }), apart];
      });
      return [failures, ...checks];
    },
    oracle: () => [
      list.map(() => 0),
      ...list.flatMap(({ statistic, p = 4 }) => {
        const { values, vectors } = eigenOf(statistic);
        const scaled = vectors.map((row) =>
          row.map((x, j) => x * (values[j] + epsilon) ** (-1 / p)),
        );
        const zeros = values.map(() => 0);
        return [multiply(scaled, transpose(vectors)).flat(), identity(zeros.length).flat(), zeros];
      }),
    ],
    moments: [MOMENT, { ...MOMENT, step: 2 }],
    // Vectors in float32, and squares of eigenvalues up to 10.
    tolerance: { rel: 2e-5, abs: 3e-5 },
  };
}

const basisOf = (matrix: Float32Array): Float32Array =>
  Float32Array.from(transpose(eigenOf(matrix).vectors).flat());

/** The same with a diagonal that grows by a hundredth a row. */
const nearby = (matrix: Float32Array): Float32Array => {
  const n = orderOf(matrix);
  return matrix.map((x, k) => (k % (n + 1) === 0 ? x * (1 + (0.01 * k) / (n + 1)) : x));
};

/** xxᵀ, of rank one to the last bit. */
const single = (n: number): Float32Array => {
  const x = random(n, { seed: 90, low: -64, high: 64 }).map((v) => Math.round(v) / 64);
  return Float32Array.from({ length: n * n }, (_, k) => x[Math.floor(k / n)] * x[k % n]);
};
const twos = Float32Array.from(identity(5, 2).flat());

const slow = ([n, p]: readonly [number, number], i: number): Root => {
  const statistic = positive(n, 80 + i);
  return { statistic, p, basis: basisOf(nearby(statistic)) };
};

export const cases: Case[] = [
  warm(
    'every size',
    (
      [
        [1, 4],
        [2, 2],
        [3, 2.5],
        [8, 4],
        [17, 1],
        [33, 6],
      ] as const
    ).map(slow),
  ),
  warm('a matrix without elements', [{ statistic: constant(0, 0), basis: constant(0, 0) }]),
  warm('no basis, not orthonormal, not a number, of another matrix', [
    ...[0, 0.5, NaN].map((x) => ({ statistic: positive(5, 86), basis: constant(5, x) })),
    { statistic: positive(8, 87), basis: basisOf(positive(8, 88)) },
    { statistic: positive(7, 87), basis: basisOf(positive(7, 88)) },
  ]),
  warm(
    'identical eigenvalues, rank one, zero',
    [
      { statistic: twos, basis: basisOf(positive(5, 88)) },
      { statistic: single(9), basis: basisOf(nearby(single(9))) },
      { statistic: single(9), basis: basisOf(positive(9, 88)) },
      { statistic: constant(3, 0), basis: basisOf(positive(3, 88)) },
    ],
    0.5,
  ),
];
