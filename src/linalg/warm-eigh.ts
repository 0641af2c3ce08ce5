import type { Eigen } from './eigh.ts';
import { distanceFromIdentity, lowerIsFinite, multiply, type Real, symmetric } from './matrix.ts';

/** The largest max|VVᵀ − I| of rows V that count as a basis: a few roundings to float32. */
const ROUNDED = 1e-5;
/** Cosine of two rows that count as orthogonal. */
const ORTHOGONAL = 1e-10;
/** From a basis nearby five are usual. */
const MOST_SWEEPS = 30;
/** ρ, of the trace. */
const SHIFT = 2e-4;

/**
 * Eigendecomposition of a symmetric n×n matrix from the rows of `basis`, the eigenvectors of one nearby, in float64; only
 * the lower triangle of `a` is read. The rows of W = V(A + ρI) are made orthogonal by rotations in pairs (Hestenes 1958),
 * V turned alike: then W = ΛV. ρ keeps eigenvalues that are below zero by rounding apart from their opposites. Values
 * are in no order. `undefined` where an entry is not finite, the trace not positive, the basis none, or thirty sweeps do
 * not suffice.
 */
export function warmEigh(a: Real, n: number, basis: Real): Eigen | undefined {
  if (!lowerIsFinite(a, n)) return undefined;
  let trace = 0;
  for (let i = 0; i < n; i++) trace += a[i * n + i];
  const vectors = orthonormal(basis, n);
  if (vectors === undefined || !(trace > 0)) return undefined;
  const shift = SHIFT * trace;
  const w = new Float64Array(n * n);
  multiply(vectors, symmetric(a, n, shift), n, w);
  if (!orthogonalise(w, vectors, n)) return undefined;
  const values = Float64Array.from({ length: n }, (_, i) => dot(w, i, vectors, i, n) - shift);
  return { values, vectors };
}

/** V + (I − VVᵀ)V/2, which squares the distance from orthonormal rows. */
function orthonormal(basis: Real, n: number): Float64Array | undefined {
  const columns = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let k = 0; k < n; k++) columns[k * n + i] = basis[i * n + k];
  const gram = new Float64Array(n * n);
  multiply(basis, columns, n, gram, true);
  if (!(distanceFromIdentity(gram, n) <= ROUNDED)) return undefined;
  const factor = gram.map((x, at) => (at % (n + 1) === 0 ? 1.5 : 0) - x / 2);
  const rows = new Float64Array(n * n);
  multiply(factor, basis, n, rows);
  return rows;
}

function orthogonalise(w: Float64Array, v: Float64Array, n: number): boolean {
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let turned = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const [pp, qq, pq] = [dot(w, p, w, p, n), dot(w, q, w, q, n), dot(w, p, w, q, n)];
        if (Math.abs(pq) <= ORTHOGONAL * Math.sqrt(pp * qq)) continue;
        turned = true;
        const zeta = (qq - pp) / (2 * pq);
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(zeta, 1));
        const c = 1 / Math.hypot(t, 1);
        rotate(w, p, q, c, c * t, n);
        rotate(v, p, q, c, c * t, n);
      }
    }
    if (!turned) return true;
  }
  return false;
}

/** Row i of x times row j of y. */
function dot(x: Float64Array, i: number, y: Float64Array, j: number, n: number): number {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += x[i * n + k] * y[j * n + k];
  return sum;
}

function rotate(m: Float64Array, p: number, q: number, c: number, s: number, n: number): void {
  for (let k = 0; k < n; k++) {
    const [x, y] = [m[p * n + k], m[q * n + k]];
    m[p * n + k] = c * x - s * y;
    m[q * n + k] = s * x + c * y;
  }
}
