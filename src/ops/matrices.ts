import type { Value } from '../graph/graph.ts';
import type { TensorType } from '../graph/types.ts';
import { eigh as eighMatrix } from '../linalg/eigh.ts';
import { inverseRoot as inverseRootMatrix, type RootOptions } from '../linalg/inverse-root.ts';
import type { Real } from '../linalg/matrix.ts';
import { defineOp, expectType, i32 } from './define.ts';

function expectSquares(op: string, matrices: TensorType): void {
  expectType(op, 'matrices', matrices, 'f32', [null, null, matrices.shape[1]]);
}

const eighOp = defineOp({
  name: 'eigh',
  infer: ([a]) => {
    expectSquares('eigh', a);
    return [{ dtype: 'f32', shape: a.shape.slice(0, 2) }, a];
  },
  kernel:
    ({ inputs: [a], outputs: [values, vectors] }) =>
    () => {
      const [count, n] = a.shape;
      for (let i = 0; i < count; i++) {
        const eigen = eighMatrix(a.data.subarray(i * n * n, (i + 1) * n * n) as Real, n);
        const failed = typeof eigen === 'string';
        values.data.set(failed ? new Float64Array(n).fill(NaN) : eigen.values, i * n);
        vectors.data.set(failed ? new Float64Array(n * n).fill(NaN) : eigen.vectors, i * n * n);
      }
    },
});

/**
 * Eigenvalues [count, n], ascending, and unit vectors [count, n, n], row i that of value i, of symmetric matrices;
 * NaN where one is not finite or does not converge. Only lower triangles are read.
 */
export function eigh(matrices: Value): { values: Value; vectors: Value } {
  const [values, vectors] = matrices.graph.add(eighOp, [matrices], {});
  return { values, vectors };
}

type InverseRootAttrs = Readonly<{ p: number; ridge: number; epsilon: number; newton: number }>;

const inverseRootOp = defineOp<InverseRootAttrs>({
  name: 'inverseRoot',
  infer: ([a]) => {
    expectSquares('inverseRoot', a);
    const [count] = a.shape;
    return [a, { dtype: 'f32', shape: [count] }, i32(count, 2)];
  },
  kernel: ({ inputs: [a], outputs: [roots, residuals, outcomes], attrs }) => {
    const { p, ridge, epsilon, newton } = attrs;
    const options = { ridge, epsilon, method: newton ? 'newton' : 'eigh' } as const;
    return () => {
      const [count, n] = a.shape;
      for (let i = 0; i < count; i++) {
        const at = i * n * n;
        const root = roots.data.subarray(at, at + n * n) as Real;
        const matrix = a.data.subarray(at, at + n * n) as Real;
        const { residual, iterations, status } = inverseRootMatrix(matrix, n, p, root, options);
        if (status !== 'ok') root.fill(NaN);
        residuals.data[i] = residual;
        outcomes.data.set([iterations, status === 'ok' ? 1 : 0], 2 * i);
      }
    };
  },
});

/**
 * A^(−1/p) [count, n, n] of symmetric positive semidefinite matrices, NaN where it failed; residuals [count]; and
 * iterations and whether it converged, i32 [count, 2]. Only lower triangles are read.
 */
export function inverseRoot(
  matrices: Value,
  { p, ridge, epsilon, method }: Required<Omit<RootOptions, 'basis'>> & { p: number },
): { roots: Value; residuals: Value; outcomes: Value } {
  const newton = Number(method === 'newton');
  const attrs = { p, ridge, epsilon, newton };
  const [roots, residuals, outcomes] = matrices.graph.add(inverseRootOp, [matrices], attrs);
  return { roots, residuals, outcomes };
}
