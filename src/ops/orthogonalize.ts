import type { Value } from '../graph/graph.ts';
import type { Attrs } from '../graph/types.ts';
import type { Real } from '../linalg/matrix.ts';
import { type Iteration, orthogonalize as orthogonalizeMatrix } from '../linalg/orthogonalize.ts';
import { defineOp, expectType } from './define.ts';

export const ORTHOGONALIZERS = ['newton-schulz', 'polar-express', 'exact'] as const;
export type Orthogonalizer = (typeof ORTHOGONALIZERS)[number];

const EXACT: Iteration = { coefficients: [], safety: 1, epsilon: 0, leading: 0 };

const ITERATIONS: Readonly<Record<Orthogonalizer, Iteration>> = {
  // Jordan 2024
  'newton-schulz': {
    coefficients: Array(5).fill([3.4445, -4.775, 2.0315]).flat(),
    safety: 1,
    epsilon: 1e-7,
    leading: 0,
  },
  // Amsel et al. 2025, for singular values from 1e-3 on
  'polar-express': {
    coefficients: [
      [8.156554524902461, -22.48329292557795, 15.878769915207462],
      [4.042929935166739, -2.808917465908714, 0.5000178451051316],
      [3.8916678022926607, -2.772484153217685, 0.5060648178503393],
      [3.285753657755655, -2.3681294933425376, 0.46449024233003106],
      [2.3465413258596377, -1.7097828382687081, 0.42323551169305323],
    ].flat(),
    safety: 1.02,
    epsilon: 1e-6,
    leading: 0,
  },
  exact: EXACT,
};

const orthogonalizeOp = defineOp<Iteration & Attrs>({
  name: 'orthogonalize',
  infer: (inputs) => {
    for (const x of inputs) expectType('orthogonalize', 'matrices', x, 'f32', [null, null, null]);
    return inputs;
  },
  kernel:
    ({ inputs, outputs, attrs }) =>
    () => {
      inputs.forEach((x, i) => {
        const [count, rows, columns] = x.shape;
        const size = rows * columns;
        for (let at = 0; at < count * size; at += size) {
          const matrix = x.data.subarray(at, at + size) as Real;
          outputs[i].data.set(orthogonalizeMatrix(matrix, rows, columns, attrs), at);
        }
      });
    },
});

/** Polar factors of batches [count, rows, columns] of matrices, all in one call. */
export const orthogonalize = (batches: readonly Value[], method: Orthogonalizer): Value[] =>
  batches[0].graph.add(orthogonalizeOp, batches, { ...ITERATIONS[method] });

/** u₁v₁ᵀ of batches [count, rows, columns] of matrices: the singular vectors of the largest singular value. */
export const leadingPair = (batches: readonly Value[]): Value[] =>
  batches[0].graph.add(orthogonalizeOp, batches, { ...EXACT, leading: 1 });
