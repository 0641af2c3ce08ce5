import { orthonormalRows } from './qr.ts';

/** Share of the largest column's squares that makes a pivot. */
const PIVOT = 0.137;

/**
 * Turns orthonormal rows [rows, n] into others of the same span, which are a function of the span alone but for signs:
 * row i is 0 in the pivots of the rows before it. A pivot is the first column whose squares in the rows left are near
 * those of the largest. Returns n numbers, below 0 for pivots.
 */
export function echelon(m: Float64Array, rows: number, n: number): Float64Array {
  const squares = new Float64Array(n);
  for (let at = 0; at < rows * n; at++) squares[at % n] += m[at] ** 2;
  const along = new Float64Array(n);
  for (let i = 0; i < rows; i++) {
    const least = PIVOT * squares.reduce((x, y) => Math.max(x, y));
    const pivot = squares.findIndex((x) => x >= least);
    const column = Float64Array.from({ length: rows - i }, (_, r) => m[(i + r) * n + pivot]);
    const length = Math.sqrt(column.reduce((sum, x) => sum + x * x, 0));
    column[0] += column[0] < 0 ? -length : length;
    const scale = 1 / (length * Math.abs(column[0])); // 2 / vᵀv of the reflection
    along.fill(0);
    column.forEach((x, r) => {
      for (let c = 0; c < n; c++) along[c] += x * m[(i + r) * n + c];
    });
    column.forEach((x, r) => {
      for (let c = 0; c < n; c++) m[(i + r) * n + c] -= scale * x * along[c];
    });
    for (let c = 0; c < n; c++) if (squares[c] >= 0) squares[c] -= m[i * n + c] ** 2;
    squares[pivot] = -1;
  }
  return squares.map((x) => (x === -1 ? x : 0));
}

/**
 * A basis whose first `rows` rows are those of q, up to signs, and whose others are the unit vectors of the columns
 * without a pivot, in order, each made orthogonal to the rows before it: a function of the span of q's rows alone.
 */
export function completed(q: Float64Array, rows: number, n: number): Float64Array {
  const pivots = echelon(q.slice(0, rows * n), rows, n);
  const basis = new Float64Array(n * n);
  basis.set(q.subarray(0, rows * n));
  let row = rows;
  pivots.forEach((pivot, c) => {
    if (pivot === 0) basis[row++ * n + c] = 1;
  });
  return orthonormalRows(basis, n);
}
