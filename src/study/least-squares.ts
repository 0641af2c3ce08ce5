import { FlatminError } from '../errors.ts';
import { singular } from '../linalg/polar.ts';

/** Singular values below so much of the largest count as 0. */
const NEGLIGIBLE = 1e-13;

/**
 * Least squares ‖Xθ − y‖² + λ‖θ‖² of a matrix [rows, columns] in float64, by its singular value decomposition: for each λ
 * one θ, and for λ = 0 the one of least norm.
 */
export function leastSquares(
  x: Float64Array,
  rows: number,
  columns: number,
  y: Float64Array,
  lambdas: readonly number[] = [0],
): Float64Array[] {
  const tall = rows > columns;
  const [small, large] = tall ? [columns, rows] : [rows, columns];
  const found = singular(tall ? transposed(x, rows, columns) : x, small, large);
  if (found === 'notConverged') {
    throw new FlatminError('FLATMIN_NUMERICS', 'Singular values did not converge');
  }
  const { turned, rotations, lengths } = found;
  const most = lengths.reduce((a, b) => Math.max(a, b), 0);
  return lambdas.map((lambda) => {
    const theta = new Float64Array(columns);
    for (let i = 0; i < small; i++) {
      const s = lengths[i];
      if (s <= NEGLIGIBLE * most) continue;
      // X = Σ s u vᵀ; of a tall X the roles of `turned` = s·u and `rotations` = v are exchanged.
      const long = turned.subarray(i * large, (i + 1) * large);
      const short = rotations.subarray(i * small, (i + 1) * small);
      const [u, v] = tall ? [long, short] : [short, long];
      let projected = 0;
      for (let r = 0; r < rows; r++) projected += u[r] * y[r];
      // One of the two has its length s.
      const factor = projected / (s * s + lambda);
      for (let c = 0; c < columns; c++) theta[c] += factor * v[c];
    }
    return theta;
  });
}

/** A matrix [rows, columns] times a vector. */
export function times(x: Float64Array, columns: number, theta: Float64Array): Float64Array {
  return Float64Array.from({ length: x.length / columns }, (_, r) => {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += x[r * columns + c] * theta[c];
    return sum;
  });
}

export function meanSquare(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum / a.length;
}

function transposed(x: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) out[c * rows + r] = x[r * columns + c];
  return out;
}
