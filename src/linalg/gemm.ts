import type { Numbers } from '../graph/kernel.ts';
import { rounded } from './rounding.ts';

/** A read operand: element (i, j) at data[offset + i·rowStride + j·colStride]. */
export interface Matrix {
  readonly data: Numbers;
  readonly offset: number;
  readonly rowStride: number;
  readonly colStride: number;
}

/**
 * C[i·ldc + j] (from `offset`) ← Σₖ A(i, k) B(k, j), added to what is there when `accumulate`. With fewer than 23
 * `fractionBits` A and B are rounded to so many.
 */
export function gemm(
  m: number,
  n: number,
  k: number,
  a: Matrix,
  b: Matrix,
  c: { data: Numbers; offset: number; ld: number },
  { accumulate = false, fractionBits = 23 }: { accumulate?: boolean; fractionBits?: number } = {},
): void {
  if (fractionBits < 23) {
    const x = roundedMatrix(a, m, k, fractionBits);
    const y = roundedMatrix(b, k, n, fractionBits);
    gemm(m, n, k, x, y, c, { accumulate });
    return;
  }
  const { data: A, rowStride: ai, colStride: ak } = a;
  const { data: B, rowStride: bk, colStride: bj } = b;
  const C = c.data;
  // Two rows by four columns at a time: eight sums in registers for six loads.
  for (let i = 0; i < m; i += 2) {
    const two = i + 1 < m;
    const a0 = a.offset + i * ai;
    const a1 = two ? a0 + ai : a0;
    for (let j = 0; j < n; j += 4) {
      const width = Math.min(4, n - j);
      const b0 = b.offset + j * bj;
      const b1 = width > 1 ? b0 + bj : b0;
      const b2 = width > 2 ? b1 + bj : b0;
      const b3 = width > 3 ? b2 + bj : b0;
      let s00 = 0;
      let s01 = 0;
      let s02 = 0;
      let s03 = 0;
      let s10 = 0;
      let s11 = 0;
      let s12 = 0;
      let s13 = 0;
      for (let p = 0, pa = 0, pb = 0; p < k; p++, pa += ak, pb += bk) {
        const x0 = A[a0 + pa];
        const x1 = A[a1 + pa];
        const y0 = B[b0 + pb];
        const y1 = B[b1 + pb];
        const y2 = B[b2 + pb];
        const y3 = B[b3 + pb];
        s00 += x0 * y0;
        s01 += x0 * y1;
        s02 += x0 * y2;
        s03 += x0 * y3;
        s10 += x1 * y0;
        s11 += x1 * y1;
        s12 += x1 * y2;
        s13 += x1 * y3;
      }
      const row0 = [s00, s01, s02, s03];
      const row1 = [s10, s11, s12, s13];
      for (let w = 0; w < width; w++) {
        const at = c.offset + i * c.ld + j + w;
        C[at] = accumulate ? C[at] + row0[w] : row0[w];
        if (two) C[at + c.ld] = accumulate ? C[at + c.ld] + row1[w] : row1[w];
      }
    }
  }
}

function roundedMatrix(x: Matrix, rows: number, columns: number, fractionBits: number): Matrix {
  if (rows * columns === 0) return x;
  const last = x.offset + (rows - 1) * x.rowStride + (columns - 1) * x.colStride;
  return { ...x, data: rounded(x.data.subarray(x.offset, last + 1), fractionBits), offset: 0 };
}
