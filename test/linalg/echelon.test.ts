import { expect, it } from 'vitest';
import { completed, echelon } from '../../src/linalg/echelon.ts';
import { identity, maxDifference, orthogonal, product, transpose } from './matrices.ts';

/** Projections on the rows: what their signs leave. */
const projections = (m: Float64Array, n: number): number[] =>
  Array.from({ length: m.length * n }, (_, at) => {
    const [r, i, k] = [Math.floor(at / (n * n)), Math.floor(at / n) % n, at % n];
    return m[r * n + i] * m[r * n + k];
  });

/** The rows turned among themselves. */
function mixed(rows: Float64Array, count: number, n: number): Float64Array {
  const turn = orthogonal(count);
  return rows.map((_, at) => {
    const [r, c] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let k = 0; k < count; k++) sum += turn[r * count + k] * rows[k * n + c];
    return sum;
  });
}

it.each([
  [1, 1],
  [1, 5],
  [3, 7],
  [7, 7],
])('%i of %i rows: any basis of a span becomes the same', (count, n) => {
  const rows = orthogonal(n).slice(0, count * n);
  const [one, other] = [rows.slice(), mixed(rows, count, n)];
  const pivots = [echelon(one, count, n), echelon(other, count, n)];
  expect(maxDifference(projections(one, n), projections(other, n))).toBeLessThan(1e-13);
  expect(pivots[0]).toEqual(pivots[1]);
  expect(pivots[0].filter((x) => x < 0)).toHaveLength(count);
});

it('a span of unit vectors becomes them', () => {
  const rows = mixed(identity(6).slice(6, 24), 3, 6);
  echelon(rows, 3, 6);
  expect(maxDifference(rows.map(Math.abs), identity(6).slice(6, 24))).toBeLessThan(1e-14);
});

it.each([0, 1, 4, 9])('completes %i of 9 rows, whichever span their span', (count) => {
  const q = orthogonal(9);
  const turned = q.slice();
  turned.set(mixed(q.slice(0, count * 9), count, 9));
  const [one, other] = [completed(q, count, 9), completed(turned, count, 9)];
  expect(maxDifference(product(one, transpose(one, 9), 9), identity(9))).toBeLessThan(1e-13);
  expect(
    maxDifference(projections(one.slice(count * 9), 9), projections(other.slice(count * 9), 9)),
  ).toBeLessThan(1e-13);
  expect(
    maxDifference(projections(one.slice(0, count * 9), 9), projections(q.slice(0, count * 9), 9)),
  ).toBeLessThan(1e-13);
});
