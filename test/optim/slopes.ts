import type { Params } from '../../src/index.ts';
import type { Grads64, Tensors64 } from './oracles/oracle.ts';

/** Gradient of Σ ½(i + 1)/n·(θᵢ − 1)² + ¼ sin 3θᵢ of each tensor: its value depends on where it is taken. */
const slope = (theta: number, i: number, n: number): number =>
  ((i + 1) / n) * (theta - 1) + 0.75 * Math.cos(3 * theta);

export const gradient64 = (params: Tensors64): Grads64 =>
  Object.fromEntries(
    Object.entries(params).map(([name, { data }]) => [
      name,
      data.map((theta, i) => slope(theta, i, data.length)),
    ]),
  );

export const gradient = (params: Params): Record<string, Float32Array> =>
  Object.fromEntries(
    Object.entries(params).map(([name, { data }]) => [
      name,
      Float32Array.from(data, (theta, i) => slope(theta, i, data.length)),
    ]),
  );
