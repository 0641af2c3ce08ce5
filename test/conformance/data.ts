import type { Shape } from '../../src/graph/types.ts';
import { STREAM, uniforms } from '../../src/random/philox.ts';
import type { Tensor } from './harness.ts';

/** Elements of one task of the C++ kernels. */
export const CHUNK = 16384;

/** 0, 1, around every vector width (4, 8, 16 lanes), odd ones, and more than one chunk. */
export const SIZES = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 101, CHUNK, 2 * CHUNK + 37];

/** Uniforms in [low, high), the same for the same seed; at least `gap` away from 0. */
export function random(
  count: number,
  options: { seed?: number; low?: number; high?: number; gap?: number } = {},
): Float32Array {
  const { seed = 1, low = -2, high = 2, gap = 0 } = options;
  return uniforms({ seed, stream: STREAM.init, step: 7 }, count).map((u) => {
    const x = low + u * (high - low);
    return Math.abs(x) < gap ? gap : x;
  });
}

/** A symmetric n × n matrix. */
export function symmetric(n: number, seed: number): Float32Array {
  const x = random(n * n, { seed });
  return x.map((_, i) => x[Math.min(i, (i % n) * n + Math.floor(i / n))]);
}

/** What is stored of a symmetric matrix: row after row, up to the diagonal. */
export function packed(matrix: ArrayLike<number>): number[] {
  const n = Math.round(Math.sqrt(matrix.length));
  return Array.from({ length: n }, (_, r) =>
    Array.from({ length: r + 1 }, (_, c) => matrix[r * n + c]),
  ).flat();
}

/** The symmetric matrix that is stored so. */
export function unpacked(triangle: ArrayLike<number>): Float64Array {
  const n = Math.round(Math.sqrt(2 * triangle.length + 0.25) - 0.5);
  return Float64Array.from({ length: n * n }, (_, k) => {
    const [r, c] = [Math.floor(k / n), k % n];
    return triangle[(Math.max(r, c) * (Math.max(r, c) + 1)) / 2 + Math.min(r, c)];
  });
}

/** Integers from 0 to `below` − 1. */
export const randomIntegers = (count: number, below: number, seed = 2): Int32Array =>
  Int32Array.from(random(count, { seed, low: 0, high: below }), Math.floor);

export const f32 = (shape: Shape, data: ArrayLike<number>): Tensor => ({
  dtype: 'f32',
  shape,
  data: Float32Array.from(data),
});
export const i32 = (shape: Shape, data: ArrayLike<number>): Tensor => ({
  dtype: 'i32',
  shape,
  data: Int32Array.from(data),
});
export const u8 = (shape: Shape, data: ArrayLike<number>): Tensor => ({
  dtype: 'u8',
  shape,
  data: Uint8Array.from(data),
});

/** Of the bits of bfloat16. */
export const bf16 = (shape: Shape, bits: ArrayLike<number>): Tensor => ({
  dtype: 'bf16',
  shape,
  data: Uint16Array.from(bits),
});

/** A value that every f32 function must survive: ±0, denormals, extremes, ±∞, NaN. */
export const SPECIAL = [
  0,
  -0,
  1e-45,
  -1e-45,
  1e-39,
  -1e-39,
  1.17549435e-38,
  1e-10,
  -1e-10,
  0.5,
  1,
  -1,
  2,
  87.3,
  88.7,
  88.73,
  -87.4,
  -103.9,
  -104.5,
  1e10,
  -1e10,
  3.4028235e38,
  -3.4028235e38,
  Infinity,
  -Infinity,
  NaN,
];

/** I + BBᵀ/n with B in (−1, 1), times `scale`. */
export function positive(n: number, seed: number, scale = 1): Float32Array {
  const b = random(n * n, { seed, low: -1, high: 1 });
  return Float32Array.from({ length: n * n }, (_, k) => {
    const [r, c] = [Math.floor(k / n), k % n];
    let sum = 0;
    for (let j = 0; j < n; j++) sum += b[r * n + j] * b[c * n + j];
    return scale * (sum / n + (r === c ? 1 : 0));
  });
}
