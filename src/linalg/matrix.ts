/** Square matrices, row-major: what eigh, the roots and the inverse share. */

export type Real = Float32Array | Float64Array;

/**
 * How a root or an inverse ended.
 * - `notFinite`: an entry of the input is not finite
 * - `notConverged`: its eigendecomposition does not converge
 * - `notPositive`: the largest eigenvalue, or a pivot, is not positive
 * - `residual`: computed, but `max|A·Xᵖ − I|` is over the tolerance
 * - `overflow`: an entry of the result is not finite in the precision of `out`
 */
export type MatrixStatus =
  | 'ok'
  | 'notFinite'
  | 'notConverged'
  | 'notPositive'
  | 'residual'
  | 'overflow';

export interface RootResult {
  /** `max|A·Xᵖ − I|` of the A with both terms added, X in float64; infinite where there is no X */
  residual: number;
  status: MatrixStatus;
  /** of Newton, both precisions together; otherwise 0 */
  iterations: number;
}

/** The largest `max|A·Xᵖ − I|` of a root that counts as good. */
export const rootTolerance = 0.1;

export function lowerIsFinite(a: Real, n: number): boolean {
  for (let r = 0; r < n; r++)
    for (let c = 0; c <= r; c++) if (!Number.isFinite(a[r * n + c])) return false;
  return true;
}

/** `A + shift·I` in float64, `A` the symmetric matrix with the lower triangle of `a`. */
export function symmetric(a: Real, n: number, shift = 0): Float64Array {
  const m = new Float64Array(n * n);
  for (let r = 0; r < n; r++) {
    for (let c = 0; c < r; c++) m[r * n + c] = m[c * n + r] = a[r * n + c];
    m[r * n + r] = a[r * n + r] + shift;
  }
  return m;
}

/** Writes `m` into `out` if it stays finite there. */
export function writeFinite(m: Real, out: Real): boolean {
  const single = out instanceof Float32Array;
  if (!m.every((x) => Number.isFinite(single ? Math.fround(x) : x))) return false;
  out.set(m);
  return true;
}

/** `out = a·b`; sums in float64 whatever the arrays hold. `half`: the lower triangle, then mirrored. */
export function multiply(a: Real, b: Real, n: number, out: Real, half = false): void {
  const sum = new Float64Array(n);
  for (let r = 0; r < n; r++) {
    const width = half ? r + 1 : n;
    sum.fill(0);
    let k = 0;
    for (; k + 3 < n; k += 4) {
      const a0 = a[r * n + k];
      const a1 = a[r * n + k + 1];
      const a2 = a[r * n + k + 2];
      const a3 = a[r * n + k + 3];
      const b0 = k * n;
      const b1 = b0 + n;
      const b2 = b1 + n;
      const b3 = b2 + n;
      for (let c = 0; c < width; c++)
        sum[c] += a0 * b[b0 + c] + a1 * b[b1 + c] + a2 * b[b2 + c] + a3 * b[b3 + c];
    }
    for (; k < n; k++) for (let c = 0; c < width; c++) sum[c] += a[r * n + k] * b[k * n + c];
    for (let c = 0; c < width; c++) out[r * n + c] = sum[c];
  }
  if (half) for (let r = 0; r < n; r++) for (let c = 0; c < r; c++) out[c * n + r] = out[r * n + c];
}

/** `xᵖ` of a symmetric `x` for an integer p ≥ 1, by squaring; `x` itself when p is 1. */
export function symmetricPower<M extends Real>(x: M, p: number, n: number): M {
  let power = x;
  for (const bit of p.toString(2).slice(1)) {
    const square = x.slice() as M;
    multiply(power, power, n, square, true);
    power = square;
    if (bit === '0') continue;
    const product = x.slice() as M;
    multiply(power, x, n, product, true);
    power = product;
  }
  return power;
}

/** `max|m − I|`; infinite when an entry is not a number. */
export function distanceFromIdentity(m: Real, n: number): number {
  let largest = 0;
  for (let r = 0; r < n; r++)
    for (let c = 0; c < n; c++) {
      const error = Math.abs(m[r * n + c] - (r === c ? 1 : 0));
      if (Number.isNaN(error)) return Number.POSITIVE_INFINITY;
      if (error > largest) largest = error;
    }
  return largest;
}

/** `max|A·power − I|`, the true residual of a root whose p-th power is `power`; a full product. */
export function rootResidual(matrix: Float64Array, power: Float64Array, n: number): number {
  const product = new Float64Array(n * n);
  multiply(matrix, power, n, product);
  return distanceFromIdentity(product, n);
}
