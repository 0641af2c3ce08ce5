import type { Grads, Params } from '../../src/index.ts';
import { STREAM, uniforms } from '../../src/random/philox.ts';
import type { Grads64, Tensors64 } from './oracles/oracle.ts';

export type Shapes = Readonly<Record<string, readonly number[]>>;

/** A matrix, a vector, a scalar, a tensor of order 4 and one without elements. */
export const SHAPES: Shapes = {
  matrix: [5, 4],
  vector: [7],
  scalar: [],
  kernel: [3, 2, 2, 3],
  empty: [0, 3],
};

const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Uniforms in (−1, 1), none of them 0. */
function draw(count: number, seed: number, step: number): Float32Array {
  const source = { seed, stream: STREAM.init, step };
  return uniforms(source, count).map((u) => 2 * u - 1 || 0.5);
}

export const randomParams = (shapes: Shapes = SHAPES, seed = 1): Params =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => [
      name,
      { data: draw(sizeOf(shape), seed, i), shape },
    ]),
  );

/** The gradients of step t. Every eighth element of every second step is 0. */
export const randomGrads = (t: number, shapes: Shapes = SHAPES): Grads =>
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => [
      name,
      draw(sizeOf(shape), 100 + t, i).map((g, k) => (t % 2 === 0 && k % 8 === 3 ? 0 : g)),
    ]),
  );

export const constantGrads = (params: Params, value: number): Record<string, Float32Array> =>
  Object.fromEntries(
    Object.entries(params).map(([name, { data }]) => [
      name,
      new Float32Array(data.length).fill(value),
    ]),
  );

export const doubleParams = (params: Params): Tensors64 =>
  Object.fromEntries(
    Object.entries(params).map(([name, { data, shape }]) => [
      name,
      { data: Float64Array.from(data), shape },
    ]),
  );

export const doubleGrads = (grads: Grads): Grads64 =>
  Object.fromEntries(Object.entries(grads).map(([name, g]) => [name, Float64Array.from(g)]));

export const copyParams = (params: Params): Params =>
  Object.fromEntries(
    Object.entries(params).map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]),
  );

/** The bytes of every parameter, for comparisons to the bit. */
export const bytesOf = (params: Readonly<Record<string, { data: Float32Array }>>): string =>
  Object.entries(params)
    .map(([name, { data }]) => {
      const { buffer, byteOffset, byteLength } = data;
      return `${name}:${Buffer.from(buffer, byteOffset, byteLength).toString('hex')}`;
    })
    .join('\n');
