import type { Value } from '../graph/graph.ts';
import { type Shape, sizeOf } from '../graph/types.ts';
import type { Settled } from '../ops/orthogonalize.ts';
import { reshape } from '../ops/reshape.ts';
import type { OptimizerTrace } from '../step/context.ts';

/** A tensor [out, …] as the matrix [out, everything else], a vector as one of one column. */
export const flattened = ([out = 1, ...others]: Shape): [number, number] => [out, sizeOf(others)];

/** What a function of batches [count, rows, columns] makes of every parameter's tensor as a matrix, in the tensors' shapes. */
export const ofMatrices = (
  { status, params }: OptimizerTrace,
  tensors: readonly Value[],
  f: (batches: readonly Value[], settled: Settled) => readonly Value[],
): Value[] =>
  f(
    tensors.map((x) => reshape(x, [1, ...flattened(x.shape)])),
    { status, tensors: params.map(({ index }) => index) },
  ).map((y, i) => reshape(y, tensors[i].shape));
