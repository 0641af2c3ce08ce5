import { expect, it } from 'vitest';
import { orthonormalRows } from '../../src/linalg/qr.ts';
import { diagonal, identity, maxDifference, orthogonal, product, transpose } from './matrices.ts';

const full = (n: number) => Float64Array.from({ length: n * n }, (_, i) => Math.sin(1 + i * i));

it.each([0, 1, 2, 5, 20])('decomposes a matrix of order %i', (n) => {
  const w = full(n);
  const q = orthonormalRows(w.slice(), n);
  expect(maxDifference(product(q, transpose(q, n), n), identity(n))).toBeLessThan(1e-13);
  // W = RᵀQ: W Qᵀ is lower triangular.
  product(w, transpose(q, n), n).forEach((x, i) => {
    if (i % n > Math.floor(i / n)) expect(Math.abs(x)).toBeLessThan(1e-12);
  });
});

it('tells rows that depend on others, up to an error of theirs', () => {
  const n = 6;
  const w = product(diagonal([1, 1, 1e-3, 1, 1, 1]), orthogonal(n), n);
  for (let c = 0; c < n; c++) {
    w[3 * n + c] = w[c] + 100 * w[2 * n + c] + 1e-9 * Math.sin(c);
    w[5 * n + c] = w[n + c] + 1e-7 * Math.cos(c);
  }
  const depending = (negligible: number) => {
    const given = w.slice();
    const q = orthonormalRows(given, n, negligible);
    expect(maxDifference(product(q, transpose(q, n), n), identity(n))).toBeLessThan(1e-13);
    return [0, 1, 2, 3, 4, 5].filter((i) => given[i * (n + 1)] === 0);
  };
  expect(depending(0)).toEqual([]);
  expect(depending(1e-6)).toEqual([3, 5]);
  // The rest of row 2 is 1e-3, and row 3 has a hundred times as much of it.
  expect(depending(2e-10)).toEqual([3]);
});

it.each([0, 1, 3])('completes a basis where the rank is %i', (rank) => {
  const n = 6;
  const diagonal = identity(n).map((x, i) => (i / (n + 1) < rank ? x : 0));
  const w = product(product(orthogonal(n), diagonal, n), full(n), n);
  const q = orthonormalRows(w, n);
  expect(maxDifference(product(q, transpose(q, n), n), identity(n))).toBeLessThan(1e-13);
});
