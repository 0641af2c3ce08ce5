import type { RootResult } from './matrix.ts';
import {
  distanceFromIdentity,
  lowerIsFinite,
  multiply,
  type Real,
  rootResidual,
  rootTolerance,
  symmetric,
  symmetricPower,
  writeFinite,
} from './matrix.ts';

const maxIterations = 100;
const converged = 1e-6;
const growth = 1.2;

/**
 * A^(−1/p) for an integer p by coupled Newton (Anil et al. 2020), matrix products only: M = zA, X = z^(1/p)·I,
 * z = (1 + p) / (2‖A‖_F), then T = ((p + 1)I − M)/p, X ← XT, M ← TᵖM until M = I. In float32, and once more
 * in float64 when the true residual is over the tolerance; a float64 `out` starts in float64.
 */
export function newtonRoot(
  a: Real,
  n: number,
  p: number,
  out: Real,
  ridge: number,
  epsilon: number,
): RootResult {
  let residual = Number.POSITIVE_INFINITY;
  let iterations = 0;
  if (!lowerIsFinite(a, n)) return { residual, status: 'notFinite', iterations };
  const matrix = symmetric(a, n, epsilon);
  const largest = largestEigenvalue(matrix, n);
  if (!(largest > 0)) return { residual, status: 'notPositive', iterations };
  for (let i = 0; i < n; i++) matrix[i * n + i] += ridge * largest;

  const precisions =
    out instanceof Float64Array ? [Float64Array] : ([Float32Array, Float64Array] as const);
  for (const Precision of precisions) {
    const attempt = iterate(matrix, n, p, (size) => new Precision(size));
    iterations += attempt.iterations;
    const root = Float64Array.from(attempt.x);
    residual = rootResidual(matrix, symmetricPower(root, p, n), n);
    if (!(residual <= rootTolerance)) continue;
    return { residual, status: writeFinite(root, out) ? 'ok' : 'overflow', iterations };
  }
  return { residual, status: 'residual', iterations };
}

function iterate(matrix: Float64Array, n: number, p: number, zeros: (size: number) => Real) {
  const z = (1 + p) / (2 * Math.sqrt(matrix.reduce((sum, v) => sum + v * v, 0)));
  let x = zeros(n * n);
  let nextX = zeros(n * n);
  let m = zeros(n * n);
  let nextM = zeros(n * n);
  const t = zeros(n * n);
  for (let i = 0; i < n; i++) x[i * n + i] = z ** (1 / p);
  for (let i = 0; i < n * n; i++) m[i] = z * matrix[i];

  let error = distanceFromIdentity(m, n);
  let iterations = 0;
  while (iterations < maxIterations && !(error < converged)) {
    for (let i = 0; i < n * n; i++) t[i] = -m[i] / p;
    for (let i = 0; i < n; i++) t[i * n + i] += (p + 1) / p;
    multiply(x, t, n, nextX, true);
    multiply(symmetricPower(t, p, n), m, n, nextM, true);
    [m, nextM] = [nextM, m];
    iterations++;
    const last = error;
    error = distanceFromIdentity(m, n);
    // The first step folds the eigenvalues of M above 1 below it, and max|M − I| may grow by that alone (a
    // matrix of rank one); from then on I − M is positive semidefinite and shrinks.
    const limit = iterations === 1 ? Number.POSITIVE_INFINITY : growth * last;
    if (!(error < limit)) break; // x is still the X before this step
    [x, nextX] = [nextX, x];
  }
  return { x, iterations };
}

/** The eigenvalue largest in magnitude, by power iteration from a fixed vector without symmetry. */
function largestEigenvalue(m: Float64Array, n: number): number {
  let v = Float64Array.from({ length: n }, (_, i) => 0.5 + ((0.6180339887498949 * (i + 1)) % 1));
  let lambda = 0;
  for (let k = 0; k < 100; k++) {
    const y = new Float64Array(n);
    let vv = 0;
    let vy = 0;
    let largest = 0;
    for (let r = 0; r < n; r++) {
      for (let c = 0; c < n; c++) y[r] += m[r * n + c] * v[c];
      vv += v[r] * v[r];
      vy += v[r] * y[r];
      largest = Math.max(largest, Math.abs(y[r]));
    }
    const last = lambda;
    lambda = vy / vv;
    if (largest === 0 || Math.abs(lambda - last) <= 1e-6 * Math.abs(lambda)) break;
    v = y.map((value) => value / largest);
  }
  return lambda;
}
