import type { Rows } from './matrix.ts';

/** Row-major offsets of the matrix [dims[k], everything else]. */
function offsets(dims: readonly number[], k: number): number[][] {
  const inner = dims.slice(k + 1).reduce((n, d) => n * d, 1);
  const outer = dims.slice(0, k).reduce((n, d) => n * d, 1);
  return Array.from({ length: dims[k] }, (_, i) =>
    Array.from({ length: outer * inner }, (_, j) => {
      const o = Math.floor(j / inner);
      return (o * dims[k] + i) * inner + (j % inner);
    }),
  );
}

export const unfold = (data: Float64Array, dims: readonly number[], k: number): Rows =>
  offsets(dims, k).map((row) => row.map((at) => data[at]));

export function fold(matrix: Rows, dims: readonly number[], k: number): Float64Array {
  const out = new Float64Array(dims.reduce((n, d) => n * d, 1));
  offsets(dims, k).forEach((row, i) => {
    row.forEach((at, j) => {
      out[at] = matrix[i][j];
    });
  });
  return out;
}
