import { lowerIsFinite, type Real, symmetric } from './matrix.ts';

export interface Eigen {
  /** ascending */
  values: Float64Array;
  /** row i is the unit vector of `values[i]` */
  vectors: Float64Array;
}

/**
 * For each eigenvalue, all of them together (LAPACK's bound): one or two are usual, but where entries shrink down the
 * diagonal the first value takes a hundred, which sort the others.
 */
const maxIterations = 30;
const negligible = 1e-200; // squared, relative to a matrix scaled to 1: dropped before it underflows

/**
 * Eigendecomposition of a symmetric n×n matrix in float64; only the lower triangle of `a` is read.
 * Householder reduction from the last row up (Golub & Van Loan 8.3.1), implicit QL with Wilkinson's shift
 * (EISPACK tql2). Says so when an entry is not finite, or the iteration does not converge.
 */
export function eigh(a: Real, n: number): Eigen | 'notFinite' | 'notConverged' {
  if (!lowerIsFinite(a, n)) return 'notFinite';
  const m = symmetric(a, n);
  const largest = m.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  const exponent = Math.max(-1000, Math.min(1000, Math.ceil(Math.log2(largest))));
  const scale = largest > 0 ? 2 ** -exponent : 1;
  for (let i = 0; i < m.length; i++) m[i] *= scale;

  const d = new Float64Array(n);
  const e = new Float64Array(n);
  const rows = accumulate(m, tridiagonalise(m, n, d, e), n);
  if (!implicitQl(d, e, rows, n)) return 'notConverged';

  const order = Array.from(d.keys()).sort((i, j) => d[i] - d[j]);
  const vectors = new Float64Array(n * n);
  order.forEach((row, i) => {
    vectors.set(rows.subarray(row * n, (row + 1) * n), i * n);
  });
  return { values: Float64Array.from(order, (i) => d[i] / scale), vectors };
}

/**
 * Reduces `a` (its lower triangle) to diagonal `d` and `e`, `e[i]` beside `d[i]` and `d[i + 1]`. Row i is left
 * holding v of the reflector `I − tau[i]·v·vᵀ` on the first i coordinates. Returns `tau`.
 */
function tridiagonalise(
  a: Float64Array,
  n: number,
  d: Float64Array,
  e: Float64Array,
): Float64Array {
  const tau = new Float64Array(n);
  const w = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    const v = a.subarray(i * n, i * n + i);
    d[i] = a[i * n + i];
    if (i === 0) break;
    const alpha = v[i - 1];
    let rest = 0;
    for (let j = 0; j < i - 1; j++) rest += v[j] * v[j];
    e[i - 1] = alpha;
    if (rest <= negligible) continue;
    const beta = alpha > 0 ? -Math.sqrt(alpha * alpha + rest) : Math.sqrt(alpha * alpha + rest);
    e[i - 1] = beta;
    tau[i] = (beta - alpha) / beta;
    for (let j = 0; j < i - 1; j++) v[j] /= alpha - beta;
    v[i - 1] = 1;

    w.fill(0); // A·v, then the w of A ← A − v·wᵀ − w·vᵀ
    for (let r = 0; r < i; r++) {
      const row = r * n;
      const vr = v[r];
      let sum = a[row + r] * vr;
      for (let c = 0; c < r; c++) {
        sum += a[row + c] * v[c];
        w[c] += a[row + c] * vr;
      }
      w[r] += sum;
    }
    let vw = 0;
    for (let j = 0; j < i; j++) vw += v[j] * w[j];
    for (let j = 0; j < i; j++) w[j] = tau[i] * (w[j] - 0.5 * tau[i] * vw * v[j]);
    for (let r = 0; r < i; r++) {
      const row = r * n;
      const vr = v[r];
      const wr = w[r];
      for (let c = 0; c <= r; c++) a[row + c] -= vr * w[c] + wr * v[c];
    }
  }
  return tau;
}

/** The product of the reflectors, H(1)·H(2)⋯H(n−1): A = rowsᵀ·T·rows. */
function accumulate(reflectors: Float64Array, tau: Float64Array, n: number): Float64Array {
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i++) rows[i * n + i] = 1;
  for (let i = 1; i < n; i++) {
    if (tau[i] === 0) continue;
    const v = reflectors.subarray(i * n, i * n + i);
    for (let r = 0; r < i; r++) {
      const row = r * n;
      let sum = 0;
      for (let c = 0; c < i; c++) sum += rows[row + c] * v[c];
      sum *= tau[i];
      for (let c = 0; c < i; c++) rows[row + c] -= sum * v[c];
    }
  }
  return rows;
}

/** Leaves the eigenvalues in `d` and turns `rows` into the vectors; `e` is destroyed. */
function implicitQl(d: Float64Array, e: Float64Array, rows: Float64Array, n: number): boolean {
  let norm = 0;
  for (let i = 0; i < n; i++) norm = Math.max(norm, Math.abs(d[i]) + Math.abs(e[i]));
  const isSmall = (i: number) =>
    Math.abs(e[i]) <=
    Number.EPSILON * (Math.abs(d[i]) + Math.abs(d[i + 1])) + Number.EPSILON ** 2 * norm;
  let iterations = 0;
  for (let l = 0; l < n; l++) {
    for (;;) {
      let m = l;
      while (m + 1 < n && !isSmall(m)) m++;
      if (m === l) break;
      if (iterations++ === maxIterations * n) return false;
      let g = (d[l + 1] - d[l]) / (2 * e[l]);
      g = d[m] - d[l] + e[l] / (g + (g < 0 ? -1 : 1) * Math.sqrt(g * g + 1));
      let s = 1;
      let c = 1;
      let p = 0;
      let i = m;
      while (i > l) {
        const f = s * e[i - 1];
        const b = c * e[i - 1];
        const square = f * f + g * g;
        const r = square > negligible ? Math.sqrt(square) : Math.hypot(f, g);
        if (r < 1e-290) {
          e[i] = 0; // the matrix falls apart here
          break;
        }
        e[i] = r;
        i--;
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        const t = (d[i] - g) * s + 2 * c * b;
        p = s * t;
        d[i + 1] = g + p;
        g = c * t - b;
        rotate(rows, i * n, n, c, s);
      }
      d[i] -= p;
      if (i === l) e[l] = g;
      e[m] = 0;
    }
  }
  return true;
}

/** Turns the row at `start` and the next one by the rotation (c, s). */
function rotate(rows: Float64Array, start: number, n: number, c: number, s: number): void {
  for (let k = start; k < start + n; k++) {
    const x = rows[k + n];
    const y = rows[k];
    rows[k + n] = s * y + c * x;
    rows[k] = c * y - s * x;
  }
}
