import { expect, it } from 'vitest';
import { orthonormalRows } from '../../src/linalg/qr.ts';
import { identity, maxDifference, orthogonal, product, transpose } from './matrices.ts';

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

it.each([0, 1, 3])('completes a basis where the rank is %i', (rank) => {
  const n = 6;
  const diagonal = identity(n).map((x, i) => (i / (n + 1) < rank ? x : 0));
  const w = product(product(orthogonal(n), diagonal, n), full(n), n);
  const q = orthonormalRows(w, n);
  expect(maxDifference(product(q, transpose(q, n), n), identity(n))).toBeLessThan(1e-13);
});
