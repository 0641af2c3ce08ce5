/** What A^(−1/p) must be, and how near the two methods have to come. */
import { jacobi, multiply, type Rows, transpose } from '../optim/oracles/matrix.ts';
import { maxDifference } from './matrices.ts';

const POWERS = [1, 2, 4, 6, 8, 1.5, 2.5];
export const METHODS = ['eigh', 'newton'] as const;

export interface Combination {
  readonly p: number;
  readonly method: (typeof METHODS)[number];
}
export const combinations: Combination[] = POWERS.flatMap((p) =>
  METHODS.map((method) => ({ p, method })),
);

/** It leaves other p to eigh. */
export const isByNewton = ({ method, p }: Combination) =>
  method === 'newton' && Number.isInteger(p);

function rowsOf(a: ArrayLike<number>): Rows {
  const n = Math.round(Math.sqrt(a.length));
  return Array.from({ length: n }, (_, r) => Array.from({ length: n }, (_, c) => a[r * n + c]));
}

interface Exact {
  readonly root: readonly number[];
  readonly condition: number;
}

/** (A + shift I)^(−1/p) by Jacobi rotations in doubles. What eigh lifts is part of the shift. */
export function exactRoot(a: ArrayLike<number>, c: Combination, ridge: number): Exact {
  const { values, vectors } = jacobi(rowsOf(a));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const shift = ridge * most + (isByNewton(c) ? 0 : Math.max(0, -least));
  const scaled = vectors.map((row) => row.map((x, j) => x * (values[j] + shift) ** (-1 / c.p)));
  return {
    root: multiply(scaled, transpose(vectors)).flat(),
    condition: (most + shift) / (least + shift),
  };
}

/** max|X − exact| / max|exact| */
export const relativeError = (got: ArrayLike<number>, exact: ArrayLike<number>): number =>
  maxDifference(got, exact) / Math.max(...Array.from(exact, Math.abs));

/**
 * Of X relative to its largest entry. eigh rounds to float32 at the end, and its eigenvalues are as good as doubles
 * are; Newton in float32 is as good as the residual of 0.1 that passes, which is p times the error.
 */
export const toleranceOf = (c: Combination, condition = 1): number =>
  isByNewton(c) ? 0.1 / c.p : 2e-7 + 1e-15 * condition;
