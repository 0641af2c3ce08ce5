import type { Real } from './matrix.ts';

const orthogonal = 1e-15; // cosine of two rows that counts as zero

/** Random matrices take about ten, of order 200 with columns from 1 down to 1e-30 fifty. */
export const POLAR_SWEEPS = 400;

/**
 * The polar factor U·Vᵀ of a matrix X = U·Σ·Vᵀ with at most as many rows as columns, in float64. Singular values
 * below columns · 2⁻⁵² of the largest count as zero, and their vectors are left out.
 *
 * One-sided Jacobi (Hestenes 1958; Golub & Van Loan 8.6.3): pairs of rows are turned until all are orthogonal,
 * J·X = Σ·Vᵀ; then U·Vᵀ = Jᵀ·Vᵀ. Small singular values keep their relative accuracy. `leading` leaves only the
 * vectors of the largest one, the first of equals. `notConverged` where pairs are still turned in the last of `sweeps`.
 */
export function polarFactor(
  x: Real,
  rows: number,
  columns: number,
  { leading = false, sweeps = POLAR_SWEEPS } = {},
): Float64Array | 'notConverged' {
  const found = singular(x, rows, columns, sweeps);
  if (found === 'notConverged') return found;
  const { turned, rotations, lengths } = found;
  const largest = lengths.reduce((a, b) => Math.max(a, b), 0);
  const least = columns * Number.EPSILON * largest;
  const first = Math.max(0, lengths.indexOf(largest)); // 0 where a NaN is the largest
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    if (lengths[i] <= least || (leading && i !== first)) continue;
    for (let r = 0; r < rows; r++) {
      const factor = rotations[i * rows + r] / lengths[i];
      for (let c = 0; c < columns; c++) out[r * columns + c] += factor * turned[i * columns + c];
    }
  }
  return out;
}

export interface Singular {
  /** Row i is σᵢvᵢ, in the order in which the rotations leave them. */
  readonly turned: Float64Array;
  /** Row i is uᵢ. */
  readonly rotations: Float64Array;
  /** σᵢ */
  readonly lengths: Float64Array;
}

/** The singular value decomposition of a matrix with at most as many rows as columns, by the same rotations. */
export function singular(
  x: Real,
  rows: number,
  columns: number,
  sweeps = POLAR_SWEEPS,
): Singular | 'notConverged' {
  const turned = Float64Array.from(x);
  const rotations = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) rotations[i * rows + i] = 1;
  let done = 0;
  while (sweep(turned, rotations, rows, columns)) if (++done >= sweeps) return 'notConverged';
  const lengths = Float64Array.from({ length: rows }, (_, i) =>
    Math.sqrt(dot(turned, i * columns, i * columns, columns)),
  );
  return { turned, rotations, lengths };
}

/** Turns every pair of rows once; false when all were orthogonal. */
function sweep(x: Float64Array, rotations: Float64Array, rows: number, columns: number): boolean {
  let turned = false;
  for (let p = 0; p < rows; p++)
    for (let q = p + 1; q < rows; q++) {
      const pp = dot(x, p * columns, p * columns, columns);
      const qq = dot(x, q * columns, q * columns, columns);
      const pq = dot(x, p * columns, q * columns, columns);
      if (!(Math.abs(pq) > orthogonal * Math.sqrt(pp) * Math.sqrt(qq))) continue;
      turned = true;
      const zeta = (qq - pp) / (2 * pq);
      const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(zeta, 1));
      const c = 1 / Math.sqrt(1 + t * t);
      rotate(x, p * columns, q * columns, columns, c, c * t);
      rotate(rotations, p * rows, q * rows, rows, c, c * t);
    }
  return turned;
}

function dot(x: Float64Array, a: number, b: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += x[a + i] * x[b + i];
  return sum;
}

/** a ← c·a − s·b, b ← s·a + c·b for the rows at a and b. */
function rotate(x: Float64Array, a: number, b: number, length: number, c: number, s: number): void {
  for (let i = 0; i < length; i++) {
    const [u, v] = [x[a + i], x[b + i]];
    x[a + i] = c * u - s * v;
    x[b + i] = s * u + c * v;
  }
}
