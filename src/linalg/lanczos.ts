import { FlatminError } from '../errors.ts';
import { eigh } from './eigh.ts';

/** A x of a symmetric matrix A that is known by its products alone. */
export type SymmetricProduct = (x: Float64Array) => Promise<Float64Array>;

/** VᵀAV of an orthonormal basis V of a Krylov space: tridiagonal. */
export interface Krylov {
  readonly basis: readonly Float64Array[];
  readonly diagonal: readonly number[];
  /** Beside the diagonal; the last is what is left of A v of the last vector, 0 where the space is invariant. */
  readonly beside: readonly number[];
}

/** Below so much of ‖A v‖ a rest is rounding. */
const ROUNDING = 1e-7;

/**
 * Lanczos' iteration from a start vector, each new vector made orthogonal to all before twice, until `enough` says so of
 * what there is, or the space is invariant.
 */
export async function lanczos(
  product: SymmetricProduct,
  start: Float64Array,
  enough: (space: Krylov) => boolean,
): Promise<Krylov> {
  const space = { basis: [] as Float64Array[], diagonal: [] as number[], beside: [] as number[] };
  let next = scaled(start, 1 / norm(start));
  for (;;) {
    space.basis.push(next);
    const rest = (await product(next)).slice();
    const whole = norm(rest);
    space.diagonal.push(dot(rest, next));
    for (let pass = 0; pass < 2; pass++) {
      for (const v of space.basis) subtract(rest, v, dot(rest, v));
    }
    const left = norm(rest);
    const ended = left <= ROUNDING * whole || space.basis.length === start.length;
    space.beside.push(ended ? 0 : left);
    if (ended || enough(space)) return space;
    next = scaled(rest, 1 / left);
  }
}

export interface Ritz {
  readonly value: number;
  /** In the basis. */
  readonly vector: Float64Array;
  /** ‖A x − value x‖ of its unit vector x. */
  readonly residual: number;
}

/** Eigenpairs of A in the space, from the largest value down. */
export function ritz({ diagonal, beside }: Krylov): Ritz[] {
  const m = diagonal.length;
  const t = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    t[i * m + i] = diagonal[i];
    if (i > 0) t[i * m + i - 1] = beside[i - 1];
  }
  const found = eigh(t, m);
  if (typeof found === 'string') {
    throw new FlatminError('FLATMIN_NUMERICS', 'Products with a matrix were not finite');
  }
  return Array.from(found.values, (value, i) => {
    const vector = found.vectors.slice(i * m, (i + 1) * m);
    return { value, vector, residual: Math.abs(beside[m - 1] * vector[m - 1]) };
  }).reverse();
}

/** A vector of the space from its coordinates in the basis. */
export function combined({ basis }: Krylov, coordinates: Float64Array): Float64Array {
  const x = new Float64Array(basis[0].length);
  basis.forEach((v, i) => {
    subtract(x, v, -coordinates[i]);
  });
  return x;
}

export const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

export const norm = (x: Float64Array): number => Math.sqrt(dot(x, x));

const scaled = (x: Float64Array, by: number): Float64Array => x.map((v) => v * by);

function subtract(x: Float64Array, v: Float64Array, times: number): void {
  for (let i = 0; i < x.length; i++) x[i] -= times * v[i];
}
