/** SOAP's directions in turned coordinates, and its eigenbases. */
import { mul } from '../../../src/ops/binary.ts';
import type { Mode } from '../../../src/ops/modes.ts';
import { reshape } from '../../../src/ops/reshape.ts';
import { soapBases, soapDirection } from '../../../src/ops/soap.ts';
import { jacobi, multiply, type Rows, transpose } from '../../optim/oracles/matrix.ts';
import { CHUNK, f32, i32, packed, random } from '../data.ts';
import type { Case } from '../harness.ts';

const GOING = [0, 0, 0, 0, 0, 0, 0, 0];
const STOPPED = [1, 0, 4, 9, 0, 0, 0, 0];
const SKIPPED = [0, 1, 4, 9, 2, 0, 0, 0];
const [BETA1, BETA2, EPS] = [0.9, 0.95, 1e-3];

const direction = (sizes: readonly number[], updates: number, status = GOING): Case => ({
  op: 'soapDirection',
  name: `${sizes.join(', ')} elements, ${updates} updates, status ${status.slice(0, 2)}`,
  inputs: [
    i32([8], status),
    i32([1], [updates]),
    ...sizes.flatMap((n, t) =>
      [0, 1, 2, 3, 4].map((k) => {
        const x = random(n, { seed: 10 * t + k });
        return f32([n], k === 4 ? x.map((value) => value * value) : x);
      }),
    ),
  ],
  build: ([block, counter, ...values]) => {
    const tensors = sizes.map((_, t) => {
      const [grad, m, turnedGrad, turnedM, v] = values.slice(5 * t, 5 * t + 5);
      return { grad, m, turnedGrad, turnedM, v };
    });
    const options = { beta1: BETA1, beta2: BETA2, eps: EPS };
    const directions = soapDirection(block, counter, tensors, options);
    return [...directions, ...tensors.flatMap(({ m, v }) => [m, v])];
  },
  oracle: ([, , ...values]) => {
    const still = status[0] !== 0 || status[1] !== 0 || updates === 0;
    const parts = sizes.map((_, t) => values.slice(5 * t, 5 * t + 5));
    if (still) {
      return [...parts.map(([g]) => g.map(() => 0)), ...parts.flatMap(([, m, , , v]) => [m, v])];
    }
    const mean = (x: Float64Array, y: Float64Array) =>
      x.map((value, i) => BETA1 * value + (1 - BETA1) * y[i]);
    const squares = (v: Float64Array, g: Float64Array) =>
      v.map((value, i) => BETA2 * value + (1 - BETA2) * g[i] ** 2);
    return [
      ...parts.map(([, , g, m, v]) => {
        const square = squares(v, g);
        return mean(m, g).map(
          (x, i) =>
            x / (1 - BETA1 ** updates) / (Math.sqrt(square[i] / (1 - BETA2 ** updates)) + EPS),
        );
      }),
      ...parts.flatMap(([g, m, turned, , v]) => [mean(m, g), squares(v, turned)]),
    ];
  },
  tolerance: { rel: 3e-6, abs: 3e-6 },
});

/** XXᵀ/n + a diagonal that keeps eigenvalues apart. */
function statistic(n: number, seed: number): Float32Array {
  const x = random(n * n, { seed, low: -1, high: 1 });
  return Float32Array.from({ length: n * n }, (_, k) => {
    const [r, c] = [Math.floor(k / n), k % n];
    let sum = r === c ? r + 1 : 0;
    for (let j = 0; j < n; j++) sum += (x[r * n + j] * x[c * n + j]) / n;
    return sum;
  });
}

const rowsOf = (data: ArrayLike<number>, n: number): Rows =>
  Array.from({ length: n }, (_, r) => Array.from({ length: n }, (_, c) => data[r * n + c]));

/** Orthonormal rows that are no eigenvectors: those of another matrix. */
const someBasis = (n: number, seed: number): Rows =>
  n === 0 ? [] : transpose(jacobi(rowsOf(statistic(n, seed), n)).vectors);

/** Gram–Schmidt on rows, twice. */
function orthonormal(rows: Rows): Rows {
  const done: Rows = [];
  for (const row of rows) {
    let x = row;
    for (const _ of [1, 2]) {
      for (const q of done) {
        const dot = x.reduce((sum, value, i) => sum + value * q[i], 0);
        x = x.map((value, i) => value - dot * q[i]);
      }
      const length = Math.hypot(...x);
      x = x.map((value) => value / length);
    }
    done.push(x);
  }
  return done;
}

/** The statistic Σ λ qqᵀ of as many rows of a fixed basis as there are values. */
function spectral(n: number, values: readonly number[], seed: number): Float32Array {
  const rows = someBasis(n, seed);
  return Float32Array.from({ length: n * n }, (_, at) =>
    values.reduce((sum, x, k) => sum + x * rows[k][Math.floor(at / n)] * rows[k][at % n], 0),
  );
}

/** The projection on what rows span; takes out of it the vector that it makes of a unit vector, of length 1. */
function projection(rows: Rows, n: number) {
  const p = Array.from({ length: n }, (_, r) =>
    Array.from({ length: n }, (_, c) => rows.reduce((sum, q) => sum + q[r] * q[c], 0)),
  );
  const squares = () => p.map((row, i) => row[i]);
  const take = (i: number): number[] => {
    const q = p[i].map((x) => x / Math.sqrt(p[i][i]));
    p.forEach((row, r) => {
      row.forEach((_, c) => {
        row[c] -= q[r] * q[c];
      });
    });
    return q;
  };
  return { squares, take };
}

/** The basis of a span that depends on it alone, and its pivots: of the columns left the first that is large enough. */
function echelonOf(rows: Rows, n: number): { basis: Rows; pivots: number[] } {
  const { squares, take } = projection(rows, n);
  const pivots = rows.map(() => -1);
  const basis = rows.map((_, i) => {
    const left = squares().map((x, c) => (pivots.includes(c) ? 0 : x));
    pivots[i] = left.findIndex((x) => x >= 0.137 * Math.max(...left));
    return take(pivots[i]);
  });
  return { basis, pivots };
}

/** What is to be of eigenvectors, the largest value first, of values that are equal. */
function settled(values: readonly number[], rows: Rows): Rows {
  const n = rows.length;
  const out: Rows = [];
  while (out.length < n) {
    const begin = out.length;
    const span = rows
      .slice(begin)
      .filter((_, i) => values[begin] - values[begin + i] <= 1e-5 * values[0]);
    if (begin + span.length < n || span.length <= begin) {
      out.push(...(span.length > 1 ? echelonOf(span, n).basis : span));
      continue;
    }
    const { pivots } = echelonOf(rows.slice(0, begin), n);
    const { take } = projection(span, n);
    for (let c = 0; c < n; c++) if (!pivots.includes(c)) out.push(take(c));
  }
  return out;
}

interface BasisOf {
  readonly mode: Omit<Mode, 'count'>;
  readonly statistic: Float32Array;
  /** Default all of it. */
  readonly rank?: number;
}

const descending = (values: readonly number[]): number[] =>
  values.map((_, i) => i).sort((i, j) => values[j] - values[i]);

/** Signs of a basis' rows q are open: the results are their q qᵀ, and v. */
function bases(
  name: string,
  list: readonly BasisOf[],
  given: { updates?: number; due?: boolean; status?: readonly number[]; stop?: number } = {},
): Case {
  const { updates = 11, due = true, status = GOING, stop } = given;
  const sizeOf = ({ outer, dim, inner }: BasisOf['mode']) => outer * dim * inner;
  const olds = list.map(({ mode }, i) => someBasis(mode.dim, 60 + i));
  const squares = list.map(({ mode }, i) => random(sizeOf(mode), { seed: 80 + i }));
  const still = status[0] !== 0 || status[1] !== 0 || (updates > 0 && !due);

  const turned = (
    { mode, statistic: a, rank = mode.dim }: BasisOf,
    i: number,
  ): { basis: Rows; v: number[] } => {
    const old = rowsOf(Float32Array.from(olds[i].flat()), mode.dim);
    const v = [...squares[i]];
    const { dim, inner } = mode;
    if (still || !a.every(Number.isFinite)) return { basis: old, v };
    const matrix = rowsOf(a, dim);
    if (updates === 0) {
      const { values, vectors } = jacobi(matrix);
      const rows = transpose(vectors);
      const order = descending(values);
      return {
        basis: settled(
          order.map((j) => values[j]),
          order.map((j) => rows[j]),
        ),
        v,
      };
    }
    const product = multiply(old, matrix);
    const order = descending(
      product.map((row, j) => row.reduce((sum, x, k) => sum + x * old[j][k], 0)),
    );
    const permuted = v.map((_, at) => {
      const [o, k, r] = [Math.floor(at / (dim * inner)), Math.floor(at / inner) % dim, at % inner];
      return v[(o * dim + order[k]) * inner + r];
    });
    // The images of `rank` rows, no matter which, span all of them; the other rows stay.
    const images = order.map((j, i) => (i < rank ? product[j] : old[j]));
    return { basis: orthonormal(images), v: permuted };
  };

  return {
    op: 'soapBases',
    name,
    inputs: [
      i32([8], status),
      i32([1], [updates]),
      ...list.map(({ statistic }) => f32([1, packed(statistic).length], packed(statistic))),
      ...list.map(({ mode }, i) => f32([1, mode.dim, mode.dim], olds[i].flat())),
      ...squares.map((v) => f32([v.length], v)),
    ],
    build: ([block, counter, ...values], graph) => {
      const count = list.length;
      const requests = list.map(({ mode }, i) => ({
        statistic: values[i],
        basis: values[count + i],
        v: values[2 * count + i],
        mode: { count: 1, ...mode },
        tensor: 5 + i,
      }));
      soapBases(
        block,
        counter,
        requests,
        graph.slot('due', () => Number(due)),
      );
      return [
        block,
        ...requests.map(({ basis, mode: { dim } }) =>
          mul(reshape(basis, [dim, dim, 1]), reshape(basis, [dim, 1, dim])),
        ),
        ...requests.map(({ v }) => v),
      ];
    },
    oracle: () => {
      const words = [...status];
      if (stop !== undefined) [words[0], words[2], words[3]] = [3, 5 + stop, 1];
      const results = list.map(turned);
      return [
        words,
        ...results.map(({ basis }) => basis.flatMap((q) => q.flatMap((x) => q.map((y) => x * y)))),
        ...results.map(({ v }) => v),
      ];
    },
    tolerance: { rel: 3e-6, abs: 3e-6 },
  };
}

const ALL: BasisOf[] = [1, 2, 3, 8, 9, 17, 33].map((dim, i) => ({
  mode: { outer: [1, 3, 2][i % 3], dim, inner: [4, 1, 5][i % 3] },
  statistic: statistic(dim, 20 + i),
}));
/** Most or little of the space is left open, by zeros or by values that are equal. */
const OPEN: BasisOf[] = [
  [1, []],
  [6, []],
  [6, [2]],
  [9, [3, 2, 1]],
  [9, [5, 4, 3, 2, 1, 0.5]],
  [8, [3, 2, 2, 2, 1, 1, 0.5, 0.2]],
  [17, [2, 2, 1]],
  [33, [4, 3, 2, 1, 1, 1, 0.5]],
].map(([n, values], i) => ({
  mode: { outer: 2, dim: n as number, inner: 3 },
  statistic: spectral(n as number, values as number[], 40 + i),
  rank: (values as number[]).length,
}));
/** Of several blocks of reflections, the last one cut. */
const LARGE: BasisOf[] = [
  { mode: { outer: 2, dim: 70, inner: 1 }, statistic: statistic(70, 90) },
  {
    mode: { outer: 1, dim: 67, inner: 3 },
    statistic: spectral(
      67,
      [...Array(40).keys()].map((i) => 3 - i / 16),
      50,
    ),
    rank: 40,
  },
];
const SMALL = ALL.slice(1, 4);
const broken: BasisOf = { ...ALL[1], statistic: Float32Array.of(1, 0, NaN, 1) };

export const cases: Case[] = [
  ...[1, 3, 16, 17, CHUNK + 3].map((n) => direction([n], 3)),
  direction([5, 0, 40], 1),
  direction([5, 4], 0),
  direction([5, 4], 2, STOPPED),
  direction([5, 4], 2, SKIPPED),
  bases('every size, at first', ALL, { updates: 0, due: false }),
  bases('every size, later', ALL),
  bases('spans that a statistic leaves open, at first', OPEN, { updates: 0 }),
  bases('spans that a statistic leaves open, later', OPEN),
  bases('in blocks, at first', LARGE, { updates: 0 }),
  bases('in blocks, later', LARGE),
  bases('no matrix', []),
  bases('not due', SMALL, { due: false }),
  bases('small ones, at first', SMALL, { updates: 0 }),
  bases('small ones, later', SMALL),
  bases('stopped', SMALL, { status: STOPPED }),
  bases('a skipped step', SMALL, { status: SKIPPED }),
  bases('a NaN at first', [ALL[2], broken], { updates: 0, stop: 1 }),
  bases('a NaN later', [broken, ALL[2]], { stop: 0 }),
];
