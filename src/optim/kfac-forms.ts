import type { Value } from '../graph/graph.ts';
import { identity, ones } from '../nn/init.ts';
import { mul } from '../ops/binary.ts';
import { blocksTimes, timesBlocks } from '../ops/block_matmul.ts';
import { concat } from '../ops/concat.ts';
import { embedding } from '../ops/embedding.ts';
import { fill } from '../ops/fill.ts';
import type { Factor } from '../ops/kfac.ts';
import { inEigenbasis, kfacEigen } from '../ops/kfac_eigen.ts';
import { isDiagonal, type Pair } from '../ops/kfac_layers.ts';
import { matmul } from '../ops/linear.ts';
import { reshape } from '../ops/reshape.ts';
import { kfacInverses } from '../ops/roots.ts';
import type { OptimizerTrace } from '../step/context.ts';

/** The factors of a layer: the blocks on their diagonals. */
export interface LayerFactors {
  readonly name: string;
  /** Index of the weight among the parameters, for messages. */
  readonly tensor: number;
  readonly a: readonly Factor[];
  readonly g: readonly Factor[];
}

/** What is known of V: where in its table its rows stand, or that it is dyᵀ[x | 1], the 1 for a bias. */
export type Made =
  | { readonly at: Value }
  | { readonly dy: Value; readonly x: Value; readonly hasBias: boolean };

/** U by dy G⁻¹ and [x | 1]A⁻¹, where that takes fewer multiplications than V whole; `undefined` elsewhere. */
function throughRows(
  { dy, x, hasBias }: { dy: Value; x: Value; hasBias: boolean },
  a: readonly Value[],
  g: readonly Value[],
): Value | undefined {
  const [rows, m] = dy.shape;
  const n = x.shape[1] + Number(hasBias);
  const sizeOf = (blocks: readonly Value[]) => blocks.reduce((sum, { size }) => sum + size, 0);
  const whole = n * sizeOf(g) + m * sizeOf(a);
  if (rows * (sizeOf(g) + sizeOf(a) + m * n) >= whole) return undefined;
  const inputs = hasBias ? concat([x, fill(x.graph, [rows, 1], 1)], 1) : x;
  return matmul(timesBlocks(dy, g), timesBlocks(inputs, a), { transA: true });
}

/**
 * A way to damp and invert A ⊗ G: traces what has to be refreshed with the factors, and returns what makes U of the
 * gradient V of a layer. Until a refresh was good U is V.
 */
type Form = (
  t: OptimizerTrace,
  layers: readonly LayerFactors[],
  scalars: { damping: Value; updates: Value },
) => (v: Value, layer: number, made?: Made) => Value;

/** U = (G + √λd/π I)⁻¹ V (A + π√λd I)⁻¹, of an embedding its transpose. */
const inverse: Form = (t, layers, { damping, updates }) => {
  const failures = counters(t, 2);
  const pairs = layers.map(({ name, tensor, a, g }) => ({
    tensor,
    a: withUnits(t, 'aInverse', name, a),
    g: withUnits(t, 'gInverse', name, g),
  }));
  kfacInverses(t.status, { failures, updates }, pairs, damping);
  return (v, i, made) => {
    const [a, g] = [resultsOf(pairs[i].a), resultsOf(pairs[i].g)];
    if (isDiagonal(a[0])) {
      const column = reshape(a[0], [-1, 1]);
      const own = made !== undefined && 'at' in made ? embedding(column, made.at) : column;
      return mul(timesBlocks(v, g), own);
    }
    const short = made !== undefined && 'dy' in made ? throughRows(made, a, g) : undefined;
    return short ?? timesBlocks(blocksTimes(g, v), a);
  };
};

/** U = Q_Gᵀ ((Q_G V Q_Aᵀ) / (gₒaᵢ + λd)) Q_A. */
const eigen: Form = (t, layers, { damping, updates }) => {
  const failures = counters(t, 1);
  const forms = layers.map(({ name, tensor, a, g }) => ({
    tensor,
    a: isDiagonal(a[0].block)
      ? a.map(({ value }) => ({ factor: value, result: value }))
      : withUnits(t, 'aBasis', name, a),
    g: withUnits(t, 'gBasis', name, g),
    scale: t.state(`scale/${name}`, { dtype: 'f32', shape: [orderOf(g), orderOf(a)] }, ones),
  }));
  kfacEigen(t.status, { failures, updates }, forms, damping);
  return (v, i) => {
    const { a, g, scale } = forms[i];
    const aBases = isDiagonal(a[0].result) ? undefined : resultsOf(a);
    return inEigenbasis(v, { aBases, gBases: resultsOf(g), scale });
  };
};

const resultsOf = (pairs: readonly Pair<Value>[]) => pairs.map(({ result }) => result);

const orderOf = (factors: readonly Factor[]) =>
  factors.reduce((sum, { block }) => sum + block.shape[0], 0);

/** So many for each parameter, since more layers may be shown later. */
const counters = (t: OptimizerTrace, each: number): Value => {
  const tensors = 1 + Math.max(...t.params.map(({ index }) => index));
  return t.state('failures', { dtype: 'i32', shape: [each * tensors] });
};

export const FORMS = { inverse, eigen };

/** The blocks of a factor, each with a matrix, or the vector of a diagonal, that begins as the identity. */
const withUnits = (
  t: OptimizerTrace,
  what: string,
  name: string,
  factors: readonly Factor[],
): Pair<Value>[] =>
  factors.map(({ value, block: { shape } }, i) => {
    const key = blockName(what, i, factors.length, name);
    const result = t.state(key, { dtype: 'f32', shape }, isDiagonal({ shape }) ? ones : identity);
    return { factor: value, result };
  });

/** Of the state of block i of so many. */
export const blockName = (what: string, i: number, of: number, layer: string): string =>
  `${what}${of === 1 ? '' : i}/${layer}`;
