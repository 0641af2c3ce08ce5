import { type Eigen, eigh } from './eigh.ts';
import type { RootResult } from './matrix.ts';
import {
  type MatrixStatus,
  multiply,
  type Real,
  rootResidual,
  rootTolerance,
  symmetric,
  symmetricPower,
  writeFinite,
} from './matrix.ts';
import { newtonRoot } from './newton-root.ts';
import { warmEigh } from './warm-eigh.ts';

export interface RootOptions {
  /** relative: `ridge·λmax·I` is added to A; default 1e-6 */
  ridge?: number;
  /** absolute: `epsilon·I` is added to A first; default 0 */
  epsilon?: number;
  /** `newton` takes integer p only, and leaves other p to `eigh`, the default */
  method?: 'eigh' | 'newton';
  /**
   * Rows of eigenvectors that `eigh` begins from, zeros where there are none yet, and leaves its own in. Where they lead
   * to no good root it begins from nothing.
   */
  basis?: Real;
}

/**
 * A sum of thousands of outer products in float32 has eigenvalues a little below zero. Down to this share of the
 * largest they count as rounding, and as much is added to the diagonal (`eigh` only); an eigenvalue further below
 * leaves a residual that fails.
 */
const ROUNDING = 1e-4;

/**
 * A^(−1/p) of a symmetric positive semidefinite n×n matrix for real p > 0; only the lower triangle of `a` is
 * read. `out` is symmetric to the bit, and written only when the status is `ok`, so that it may hold the last
 * good root; it may be `a`.
 */
export function inverseRoot(
  a: Real,
  n: number,
  p: number,
  out: Real,
  options: RootOptions = {},
): RootResult {
  const { ridge = 1e-6, epsilon = 0, method = 'eigh', basis } = options;
  if (n === 0) return { residual: 0, status: 'ok', iterations: 0 };
  if (method === 'newton' && Number.isInteger(p)) return newtonRoot(a, n, p, out, ridge, epsilon);

  const rootBy = (eigen: Eigen): RootResult => {
    basis?.set(eigen.vectors);
    return spectralRoot(a, n, p, out, { ridge, epsilon, eigen });
  };
  const warm = basis && warmEigh(a, n, basis);
  if (warm !== undefined) {
    const result = rootBy(warm);
    if (result.status === 'ok') return result;
  }
  const eigen = eigh(a, n);
  return typeof eigen === 'string' ? failed(eigen) : rootBy(eigen);
}

const failed = (status: MatrixStatus, residual = Number.POSITIVE_INFINITY): RootResult => ({
  residual,
  status,
  iterations: 0,
});

function spectralRoot(
  a: Real,
  n: number,
  p: number,
  out: Real,
  { ridge, epsilon, eigen }: { ridge: number; epsilon: number; eigen: Eigen },
): RootResult {
  const largest = eigen.values.reduce((x, y) => Math.max(x, y)) + epsilon;
  const least = eigen.values.reduce((x, y) => Math.min(x, y));
  if (!(largest > 0)) return failed('notPositive');
  const lift = -least <= ROUNDING * largest ? Math.max(-least, 0) : 0;
  const shift = epsilon + ridge * largest + lift;
  // Round-off below zero must not become NaN.
  const mu = eigen.values.map((x) => Math.max(x + shift, Number.EPSILON * largest));

  const root = spectral(eigen.vectors, mu, -1 / p, n);
  const power = Number.isInteger(p)
    ? symmetricPower(root, p, n)
    : spectral(eigen.vectors, mu, -1, n);
  const residual = rootResidual(symmetric(a, n, shift), power, n);
  if (!(residual <= rootTolerance)) return failed('residual', residual);
  if (!writeFinite(root, out)) return failed('overflow', residual);
  return { residual, status: 'ok', iterations: 0 };
}

/** `Vᵀ·diag(mu^exponent)·V` for the rows V. */
function spectral(vectors: Float64Array, mu: Float64Array, exponent: number, n: number) {
  const columns = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const factor = mu[i] ** exponent;
    for (let c = 0; c < n; c++) columns[c * n + i] = vectors[i * n + c] * factor;
  }
  const out = new Float64Array(n * n);
  multiply(columns, vectors, n, out, true);
  return out;
}
