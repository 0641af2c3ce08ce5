import { lowerIsFinite, type MatrixStatus, type Real, symmetric, writeFinite } from './matrix.ts';

/**
 * `out = (A + damping·I)⁻¹` of a symmetric n×n matrix, in float64 inside; only the lower triangle of `a` is
 * read. `out` is symmetric to the bit and written only when the status is `ok`; it may be `a`.
 * `notPositive`: a pivot ≤ 0.
 */
export function choleskyInverse(a: Real, n: number, damping: number, out: Real): MatrixStatus {
  if (!lowerIsFinite(a, n)) return 'notFinite';
  const l = symmetric(a, n, damping);
  if (!factor(l, n)) return 'notPositive';
  return writeFinite(inverseOfProduct(invertLower(l, n), n), out) ? 'ok' : 'overflow';
}

/** The lower triangle of `a` becomes L with A = L·Lᵀ, row by row. */
function factor(a: Float64Array, n: number): boolean {
  for (let r = 0; r < n; r++) {
    const row = r * n;
    for (let c = 0; c <= r; c++) {
      const other = c * n;
      let sum = a[row + c];
      for (let k = 0; k < c; k++) sum -= a[row + k] * a[other + k];
      if (c < r) a[row + c] = sum / a[other + c];
      else if (sum > 0) a[row + r] = Math.sqrt(sum);
      else return false;
    }
  }
  return true;
}

/** S = L⁻¹, lower triangular: row r of S from the rows above it. */
function invertLower(l: Float64Array, n: number): Float64Array {
  const s = new Float64Array(n * n);
  for (let r = 0; r < n; r++) {
    const row = r * n;
    s[row + r] = 1;
    for (let k = 0; k < r; k++) {
      const factor = l[row + k];
      for (let c = 0; c <= k; c++) s[row + c] -= factor * s[k * n + c];
    }
    for (let c = 0; c <= r; c++) s[row + c] /= l[row + r];
  }
  return s;
}

/** Sᵀ·S for a lower triangular S, a sum of outer products of its rows. */
function inverseOfProduct(s: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let k = 0; k < n; k++)
    for (let r = 0; r <= k; r++) {
      const factor = s[k * n + r];
      for (let c = 0; c <= r; c++) out[r * n + c] += factor * s[k * n + c];
    }
  return symmetric(out, n);
}
