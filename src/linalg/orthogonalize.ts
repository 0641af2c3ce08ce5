import { gemm, type Matrix } from './gemm.ts';
import type { Real } from './matrix.ts';
import { polarFactor } from './polar.ts';

/** How singular values are driven to 1. */
export interface Iteration {
  /** Triples (a, b, c), one a step; none: the exact polar factor. */
  readonly coefficients: readonly number[];
  /** The start is X / (safety · ‖X‖_F + epsilon). */
  readonly safety: number;
  readonly epsilon: number;
  /** 1: of the exact factor U·Vᵀ the part u₁v₁ᵀ of the largest singular value alone. */
  readonly leading: number;
  /** Most sweeps of the exact factor's rotations. */
  readonly sweeps: number;
}

/**
 * The polar factor of a rows × columns matrix, or what `iteration` makes of it: X ← aX + (bA + cA²)X with A = XXᵀ.
 * A matrix taller than wide is transposed first, so both forms give the same. In float64. `notConverged` of an exact
 * factor whose sweeps did not do.
 */
export function orthogonalize(
  given: Real,
  rows: number,
  columns: number,
  iteration: Iteration,
): Float64Array | 'notConverged' {
  const { leading, sweeps } = iteration;
  const tall = rows > columns;
  const [small, large] = tall ? [columns, rows] : [rows, columns];
  const x = tall ? transpose(given, rows, columns) : Float64Array.from(given);
  const y =
    iteration.coefficients.length === 0
      ? polarFactor(x, small, large, { leading: leading !== 0, sweeps })
      : iterate(x, small, large, iteration);
  if (y === 'notConverged') return y;
  return tall ? transpose(y, small, large) : y;
}

function iterate(
  given: Float64Array,
  k: number,
  l: number,
  { coefficients, safety, epsilon }: Iteration,
): Float64Array {
  const norm = Math.sqrt(given.reduce((sum, v) => sum + v * v, 0));
  let x = given.map((v) => v / (safety * norm + epsilon));
  const gram = new Float64Array(k * k);
  const factor = new Float64Array(k * k);
  const view = (data: Float64Array, columns: number): Matrix => ({
    data,
    offset: 0,
    rowStride: columns,
    colStride: 1,
  });
  for (let i = 0; i < coefficients.length; i += 3) {
    const [a, b, c] = coefficients.slice(i, i + 3);
    const transposed = { ...view(x, l), rowStride: 1, colStride: l };
    gemm(k, k, l, view(x, l), transposed, { data: gram, offset: 0, ld: k });
    gemm(k, k, k, view(gram, k), view(gram, k), { data: factor, offset: 0, ld: k });
    for (let j = 0; j < k * k; j++) factor[j] = b * gram[j] + c * factor[j];
    for (let r = 0; r < k; r++) factor[r * k + r] += a;
    const next = new Float64Array(k * l);
    gemm(k, l, k, view(factor, k), view(x, l), { data: next, offset: 0, ld: l });
    x = next;
  }
  return x;
}

function transpose(x: Real, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) out[c * rows + r] = x[r * columns + c];
  return out;
}
