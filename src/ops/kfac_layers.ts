import type { Value } from '../graph/graph.ts';
import type { TensorType } from '../graph/types.ts';
import type { MatrixStatus } from '../linalg/matrix.ts';
import { packedSize } from '../linalg/packed.ts';
import { expectType, shapeError } from './define.ts';

/** A block of a factor, and what is made of it. */
export interface Pair<T> {
  /** Packed, or the vector of its diagonal. */
  readonly factor: T;
  /** A matrix, or the vector of a diagonal one. */
  readonly result: T;
}

/** The blocks on the diagonals of a layer's factors. */
export interface LayerPairs<T> {
  readonly a: readonly Pair<T>[];
  readonly g: readonly Pair<T>[];
  /** Index of the weight among the parameters, for messages. */
  readonly tensor: number;
}

export type LayerAttrs = Readonly<{
  /** Of each layer. */
  tensors: readonly number[];
  aBlocks: readonly number[];
  gBlocks: readonly number[];
  stepSlot: number;
}>;

export const layerAttrs = (layers: readonly LayerPairs<Value>[], stepSlot: number): LayerAttrs => ({
  tensors: layers.map((l) => l.tensor),
  aBlocks: layers.map((l) => l.a.length),
  gBlocks: layers.map((l) => l.g.length),
  stepSlot,
});

/** A layer as operands in a row; `layersOf` is its inverse. */
export const operandsOf = ({ a, g }: LayerPairs<Value>): Value[] =>
  [...a, ...g].flatMap(({ factor, result }) => [factor, result]);

/** The layers of such operands, each with `more` after them. */
export function layersOf<T>(
  operands: readonly T[],
  { tensors, aBlocks, gBlocks }: LayerAttrs,
  more = 0,
): (LayerPairs<T> & { readonly rest: readonly T[] })[] {
  let at = 0;
  const pairs = (count: number) =>
    Array.from({ length: count }, () => ({ factor: operands[at++], result: operands[at++] }));
  return tensors.map((tensor, layer) => {
    const [a, g] = [pairs(aBlocks[layer]), pairs(gBlocks[layer])];
    at += more;
    return { tensor, a, g, rest: operands.slice(at - more, at) };
  });
}

/** Of failures in a row, and of updates of the factors. */
export interface Counters {
  readonly failures: Value;
  readonly updates: Value;
}

export function expectPair(op: string, what: string, { factor, result }: Pair<TensorType>): void {
  const [n] = result.shape;
  const diagonal = isDiagonal(result);
  expectType(op, what, result, 'f32', diagonal ? [n] : [n, n]);
  expectType(op, 'a factor', factor, 'f32', [diagonal ? n : packedSize(n)]);
}

export function expectCounters(
  op: string,
  failures: TensorType,
  tensors: readonly number[],
  each: number,
): void {
  expectType(op, 'failure counters', failures, 'i32', [null]);
  const counters = each * (1 + Math.max(-1, ...tensors));
  if (failures.shape[0] < counters) {
    throw shapeError(`${op} expects ${counters} failure counters, got ${failures.shape[0]}`);
  }
}

/** What is made of a diagonal factor is the vector of its diagonal, as the factor is. */
export const isDiagonal = ({ shape }: Pick<TensorType, 'shape'>): boolean => shape.length === 1;

/** What holds of several blocks together. */
export const together = (results: readonly MatrixStatus[]): MatrixStatus =>
  results.find((r) => r === 'notFinite') ?? results.find((r) => r !== 'ok') ?? 'ok';
