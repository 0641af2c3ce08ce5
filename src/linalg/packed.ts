import type { Shape } from '../graph/types.ts';
import type { Real } from './matrix.ts';

/**
 * Symmetric matrices stored once: of n × n the lower triangle, row after row, element (r, c) with c ≤ r at
 * r(r + 1)/2 + c. Statistics are kept so; roots, inverses and bases are operands of products, and whole.
 */
export const packedSize = (n: number): number => (n * (n + 1)) / 2;

/** The n of n(n + 1)/2 numbers. */
export const packedOrder = (size: number): number => Math.round((Math.sqrt(8 * size + 1) - 1) / 2);

/** Of a symmetric matrix as it is stored: packed, or of a diagonal its vector. */
export const storedShape = (shape: Shape): Shape =>
  shape.length === 1 ? shape : [packedSize(shape[0])];

/** visit(place in the packed triangle, r, c) */
export function forLower(n: number, visit: (at: number, r: number, c: number) => void): void {
  for (let r = 0, at = 0; r < n; r++) for (let c = 0; c <= r; c++, at++) visit(at, r, c);
}

/** The whole matrix, in doubles. */
export function unpack(packed: Real, n: number): Float64Array {
  const whole = new Float64Array(n * n);
  forLower(n, (at, r, c) => {
    whole[r * n + c] = packed[at];
    whole[c * n + r] = packed[at];
  });
  return whole;
}
