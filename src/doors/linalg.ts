/** Matrix functions of the caller's arrays. They run a program of one instruction, in place of a step. */
import { z } from 'zod';
import { newNumbers, type Store } from '../backend/backend.ts';
import { type DeviceOptions, openStore } from '../backend/device.ts';
import { Program } from '../backend/program.ts';
import { FlatminError } from '../errors.ts';
import { compile } from '../graph/compile.ts';
import { Graph, type Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { type Shape, sizeOf } from '../graph/types.ts';
import { assign } from '../ops/assign.ts';
import * as ops from '../ops/matrices.ts';
import {
  ORTHOGONALIZERS,
  type Orthogonalizer,
  orthogonalize as traceOrthogonalize,
} from '../ops/orthogonalize.ts';
import { nonNegative, positive } from '../optim/options.ts';
import { checkOptions, schemaOf } from '../options.ts';
import { type ArrayTensor, checkArray, checkRecord, checkShape } from '../step/arrays.ts';

/** A matrix, row-major: shape [rows, columns]. */
export interface MatrixTensor extends ArrayTensor {
  /** [rows, columns]. */
  readonly shape: readonly [number, number];
}

/** Matrices of one shape, one after the other: shape [count, rows, columns]. */
export interface MatrixBatch extends ArrayTensor {
  /** [count, rows, columns]. */
  readonly shape: readonly [number, number, number];
}

/** Entries a[i, j] and a[j, i] may differ by this much of the largest. */
const ASYMMETRY = 1e-5;

/**
 * Eigenvalues, ascending, and eigenvectors of a symmetric matrix [n, n], or of each of a batch [count, n, n]:
 * A = Σᵢ values[i] · vectors[i] vectors[i]ᵀ with unit rows vectors[i], whose signs are left open. By Householder
 * reduction and implicit QL in float64, rounded to float32 at the end.
 *
 * The lower triangle counts; the upper one may differ by 1e-5 of the largest entry. `FLATMIN_SHAPE` for matrices that
 * are not square, `FLATMIN_ARGUMENT` for entries that are not finite or not symmetric, `FLATMIN_NUMERICS` where an
 * eigenvalue leaves float32's range or the iteration does not converge.
 */
export function eigh(
  matrices: ArrayTensor,
  options: DeviceOptions = {},
): { values: ArrayTensor; vectors: ArrayTensor } {
  checkSymmetric('eigh', matrices);
  const { device, threads } = checkOptions('eigh', z.strictObject(deviceShape), options);
  const [values, vectors] = evaluate(matrices, { device, threads }, (a) => {
    const traced = ops.eigh(a);
    return [traced.values, traced.vectors];
  }) as [Float32Array, Float32Array];
  if (values.some(Number.isNaN)) {
    throw new FlatminError(
      'FLATMIN_NUMERICS',
      'eigh did not converge. Help: try another device; where all fail, please report the matrix.',
    );
  }
  if (!values.every(Number.isFinite)) {
    throw new FlatminError(
      'FLATMIN_NUMERICS',
      "eigh found an eigenvalue outside float32's range. Help: scale the matrix.",
    );
  }
  const { shape } = matrices;
  return {
    values: { data: values, shape: shape.slice(0, -1) },
    vectors: { data: vectors, shape },
  };
}

/** Checked by `openStore`. */
const deviceShape = {
  /** Where it is computed. Default `auto`. */
  device: z.custom<DeviceOptions['device']>().optional(),
  /** CPU threads. Default every core. */
  threads: z.custom<number>().optional(),
};

/**
 * Options of the inverse pth root: p, how it is computed, the ridge that is added before, device and threads. An unknown
 * option is `FLATMIN_ARGUMENT`.
 */
export interface InverseRootOptions extends DeviceOptions {
  /** The root's p, any number above 0. */
  p: number;
  /** Relative: ridge · λmax · I is added. Default 1e-6. */
  ridge?: number;
  /** Absolute: ε · I is added first. Default 0. */
  epsilon?: number;
  /** Default `eigh`; `newton`, coupled Newton, takes whole p and leaves others to `eigh`. */
  method?: 'eigh' | 'newton';
}

const rootSchema = schemaOf<InverseRootOptions>()(
  z.strictObject({
    p: positive,
    ridge: nonNegative.default(1e-6),
    epsilon: nonNegative.default(0),
    method: z.enum(['eigh', 'newton']).default('eigh'),
    ...deviceShape,
  }),
);

/** An inverse root and how it was found. */
export interface InverseRoot {
  /** Symmetric to the bit; NaN where it did not converge. */
  readonly root: ArrayTensor;
  /** max|A·Xᵖ − I| of the A with both terms added, before X is rounded; infinite where there is no X. */
  readonly residual: number;
  /** Of coupled Newton, its repetition in float64 included; 0 of `eigh`. */
  readonly iterations: number;
  /** The residual is at most 0.1: false for the zero matrix, and where λmax is not positive. */
  readonly converged: boolean;
}

/** One entry a matrix. */
export interface InverseRoots {
  readonly root: ArrayTensor;
  readonly residual: readonly number[];
  readonly iterations: readonly number[];
  readonly converged: readonly boolean[];
}

/**
 * X = (A + εI + ridge·λmax·I)^(−1/p) of a symmetric positive semidefinite matrix [n, n], or of each of a batch
 * [count, n, n]. By eigendecomposition in float64, or by coupled Newton (Anil et al. 2020) in float32 and once more in
 * float64 where the true residual is above 0.1. A root that fails is no error: look at `converged`.
 *
 * The lower triangle counts; the upper one may differ by 1e-5 of the largest entry. `FLATMIN_SHAPE` for matrices that
 * are not square, `FLATMIN_ARGUMENT` for bad options and for entries that are not finite or not symmetric.
 */
export function inverseRoot(matrix: MatrixTensor, options: InverseRootOptions): InverseRoot;
export function inverseRoot(matrices: MatrixBatch, options: InverseRootOptions): InverseRoots;
export function inverseRoot(
  matrices: ArrayTensor,
  given: InverseRootOptions,
): InverseRoot | InverseRoots {
  checkSymmetric('inverseRoot', matrices);
  const { device, threads, ...options } = checkOptions('inverseRoot', rootSchema, given);
  const [data, residuals, outcomes] = evaluate(matrices, { device, threads }, (a) => {
    const traced = ops.inverseRoot(a, options);
    return [traced.roots, traced.residuals, traced.outcomes];
  });
  const residual = Array.from(residuals);
  const iterations = residual.map((_, i) => outcomes[2 * i]);
  const converged = residual.map((_, i) => outcomes[2 * i + 1] === 1);
  const root = { data: data as Float32Array, shape: matrices.shape };
  if (matrices.shape.length === 3) return { root, residual, iterations, converged };
  return {
    root,
    residual: residual[0],
    iterations: iterations[0],
    converged: converged[0],
  };
}

/**
 * Options of the orthogonal polar factor: how it is computed, device and threads. An unknown option is
 * `FLATMIN_ARGUMENT`.
 */
export interface OrthogonalizeOptions extends DeviceOptions {
  /** Default `newton-schulz`. */
  method?: Orthogonalizer;
}

const orthogonalizeSchema = schemaOf<OrthogonalizeOptions>()(
  z.strictObject({
    method: z.enum(ORTHOGONALIZERS).default('newton-schulz'),
    ...deviceShape,
  }),
);

/**
 * The orthogonal polar factor UVᵀ of a matrix X = UΣVᵀ [rows, columns], or of each of a batch [count, rows, columns].
 *
 * - `newton-schulz` (Jordan 2024): X / (‖X‖_F + 1e-7), five times X ← aX + (bA + cA²)X with A = XXᵀ. Singular
 *   values from 0.002 ‖X‖_F on come out between 0.68 and 1.21.
 * - `polar-express` (Amsel et al. 2025): five other triples, X / (1.02 ‖X‖_F + 1e-6) first. From 0.001 ‖X‖_F on they
 *   come out between 0.85 and 1.15.
 * - `exact`: by SVD in float64; vectors of singular values that are 0 are left out.
 *
 * The zero matrix gives zeros. `FLATMIN_SHAPE` for what is no matrix, `FLATMIN_ARGUMENT` for bad options and entries
 * that are not finite, `FLATMIN_NUMERICS` where the exact factor does not converge.
 */
export function orthogonalize(
  matrices: ArrayTensor,
  given: OrthogonalizeOptions = {},
): ArrayTensor {
  checkMatrices('orthogonalize', matrices);
  const { method, ...device } = checkOptions('orthogonalize', orthogonalizeSchema, given);
  const [data] = evaluate(matrices, device, (x) => traceOrthogonalize([x], method));
  if (method === 'exact' && (data as Float32Array).some(Number.isNaN)) {
    throw new FlatminError(
      'FLATMIN_NUMERICS',
      'orthogonalize did not converge. Help: try another method or device; where all fail, please report the matrix.',
    );
  }
  return { data: data as Float32Array, shape: matrices.shape };
}

/** Throws unless `matrices` is a matrix or a batch with entries that are all finite. */
function checkMatrices(name: string, matrices: ArrayTensor): void {
  const what = `${name}: the matrix`;
  checkRecord(what, matrices);
  checkShape(what, matrices.shape);
  const { data, shape } = matrices;
  if (shape.length !== 2 && shape.length !== 3) {
    throw new FlatminError(
      'FLATMIN_SHAPE',
      `${name} expects a matrix [rows, columns] or a batch [count, rows, columns], got [${shape.join(', ')}]`,
    );
  }
  checkArray(what, data, sizeOf(shape));
  const bad = data.findIndex((x) => !Number.isFinite(x));
  if (bad !== -1) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${name} expects finite entries, got ${data[bad]} at [${place(bad, shape)}]`,
    );
  }
}

/** Throws unless every matrix is square and symmetric up to rounding, too. */
function checkSymmetric(name: string, matrices: ArrayTensor): void {
  checkMatrices(name, matrices);
  const { data, shape } = matrices;
  const [n, columns] = shape.slice(-2);
  if (n !== columns) {
    throw new FlatminError(
      'FLATMIN_SHAPE',
      `${name} expects square matrices, got [${shape.join(', ')}]`,
    );
  }
  for (let start = 0; start < data.length; start += n * n) {
    const a = data.subarray(start, start + n * n);
    const tolerance = ASYMMETRY * a.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
    for (let r = 0; r < n; r++)
      for (let c = 0; c < r; c++) {
        const [lower, upper] = [a[r * n + c], a[c * n + r]];
        if (Math.abs(lower - upper) <= tolerance) continue;
        const at = place(start + r * n + c, shape);
        throw new FlatminError(
          'FLATMIN_ARGUMENT',
          `${name} expects a symmetric matrix, got ${lower} at [${at}] and ${upper} opposite. Help: pass (A + Aᵀ)/2.`,
        );
      }
  }
}

/** Indices of an element, for messages. */
function place(index: number, shape: Shape): string {
  const indices: number[] = [];
  for (const d of [...shape].reverse()) {
    indices.unshift(index % d);
    index = Math.floor(index / d);
  }
  return indices.join(', ');
}

/** By device: a store's threads would otherwise pile up until the garbage is collected. */
const stores = new Map<string, Store>();

function storeOf(options: DeviceOptions): Store {
  const key = JSON.stringify([options.device, options.threads]);
  const store = stores.get(key) ?? openStore(options);
  stores.set(key, store);
  return store;
}

/** The results of what is traced with the matrices as a batch. */
function evaluate(
  { data, shape }: ArrayTensor,
  device: DeviceOptions,
  trace: (batch: Value) => readonly Value[],
): Numbers[] {
  const graph = new Graph();
  const batch = graph.bound('matrices', {
    dtype: 'f32',
    shape: shape.length === 2 ? [1, ...shape] : shape,
  });
  const results = trace(batch);
  const outputs = results.map(({ type }, i) => graph.bound(`result${i}`, type));
  assign(outputs, results);
  const arrays = new Map<string, Numbers>([
    [batch.key, data],
    ...outputs.map(({ key, dtype, size }) => [key, newNumbers(dtype, size)] as const),
  ]);
  const program = new Program(compile(graph), storeOf(device));
  const bindings = program.bound.map((key) => arrays.get(key) as Numbers);
  program.runSync([{ step: 1, epoch: 0, seed: 0, offset: 0 }], bindings);
  return outputs.map(({ key }) => arrays.get(key) as Numbers);
}
