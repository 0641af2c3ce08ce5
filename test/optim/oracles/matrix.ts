/** Dense matrices as arrays of rows, in doubles, by methods other than those under test. */
export type Rows = number[][];

export const zeros = (n: number, m = n): Rows =>
  Array.from({ length: n }, () => Array<number>(m).fill(0));

export const identity = (n: number, scale = 1): Rows =>
  zeros(n).map((row, i) => row.map((_, j) => (i === j ? scale : 0)));

export const transpose = (a: Rows): Rows => (a[0] ?? []).map((_, j) => a.map((row) => row[j]));

export const multiply = (a: Rows, b: Rows): Rows =>
  a.map((row) => (b[0] ?? []).map((_, j) => row.reduce((sum, x, k) => sum + x * b[k][j], 0)));

export const combine = (a: Rows, x: number, b: Rows, y: number): Rows =>
  a.map((row, i) => row.map((v, j) => x * v + y * b[i][j]));

export const trace = (a: Rows): number => a.reduce((sum, row, i) => sum + row[i], 0);

/** Eigenvalues and eigenvectors (columns) of a symmetric matrix by Jacobi rotations. */
export function jacobi(given: Rows): { values: number[]; vectors: Rows } {
  const n = given.length;
  const a = given.map((row) => [...row]);
  const v = identity(n);
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) off += a[i][j] ** 2;
    if (off < 1e-300) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p][q] === 0) continue;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[k][p], a[k][q]];
          a[k][p] = c * x - s * y;
          a[k][q] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [a[p][k], a[q][k]];
          a[p][k] = c * x - s * y;
          a[q][k] = s * x + c * y;
        }
        for (let k = 0; k < n; k++) {
          const [x, y] = [v[k][p], v[k][q]];
          v[k][p] = c * x - s * y;
          v[k][q] = s * x + c * y;
        }
      }
    }
  }
  return { values: a.map((row, i) => row[i]), vectors: v };
}

/** A^exponent of a symmetric positive definite matrix, and λmax/λmin. */
export function power(a: Rows, exponent: number): { matrix: Rows; condition: number } {
  const { values, vectors } = jacobi(a);
  const scaled = vectors.map((row) => row.map((x, j) => x * values[j] ** exponent));
  return {
    matrix: multiply(scaled, transpose(vectors)),
    condition: values.length === 0 ? 1 : Math.max(...values) / Math.min(...values),
  };
}

/** A⁻¹ by Gauss–Jordan elimination with row exchanges. */
export function inverse(given: Rows): Rows {
  const n = given.length;
  const a = given.map((row, i) => [...row, ...identity(n)[i]]);
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let r = k + 1; r < n; r++) if (Math.abs(a[r][k]) > Math.abs(a[pivot][k])) pivot = r;
    [a[k], a[pivot]] = [a[pivot], a[k]];
    a[k] = a[k].map((x) => x / a[k][k]);
    for (let r = 0; r < n; r++) {
      const factor = a[r][k];
      if (r !== k && factor !== 0) a[r] = a[r].map((x, c) => x - factor * a[k][c]);
    }
  }
  return a.map((row) => row.slice(n));
}
