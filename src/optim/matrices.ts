import type { Value } from '../graph/graph.ts';
import { type Shape, sizeOf } from '../graph/types.ts';
import { reshape } from '../ops/reshape.ts';

/** A tensor [out, …] as the matrix [out, everything else], a vector as one of one column. */
export const flattened = ([out = 1, ...others]: Shape): [number, number] => [out, sizeOf(others)];

/** What a function of batches [count, rows, columns] makes of tensors as matrices, in the tensors' shapes. */
export const ofMatrices = (
  tensors: readonly Value[],
  f: (batches: readonly Value[]) => readonly Value[],
): Value[] =>
  f(tensors.map((x) => reshape(x, [1, ...flattened(x.shape)]))).map((y, i) =>
    reshape(y, tensors[i].shape),
  );
