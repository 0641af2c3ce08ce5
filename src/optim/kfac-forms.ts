import type { Value } from '../graph/graph.ts';
import { identity, ones } from '../nn/init.ts';
import { mul } from '../ops/binary.ts';
import { blocksTimes, timesBlocks } from '../ops/block_matmul.ts';
import type { Factor } from '../ops/kfac.ts';
import { inEigenbasis, kfacEigen } from '../ops/kfac_eigen.ts';
import { isDiagonal, type Pair } from '../ops/kfac_layers.ts';
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

/**
 * A way to damp and invert A ⊗ G: traces what has to be refreshed with the factors, and returns what makes U of the
 * gradient V of a layer. Until a refresh was good U is V.
 */
type Form = (
  t: OptimizerTrace,
  layers: readonly LayerFactors[],
  scalars: { damping: Value; updates: Value },
) => (v: Value, layer: number) => Value;

/** U = (G + √λd/π I)⁻¹ V (A + π√λd I)⁻¹, of an embedding its transpose. */
const inverse: Form = (t, layers, { damping, updates }) => {
  const failures = counters(t, 2);
  const pairs = layers.map(({ name, tensor, a, g }) => ({
    tensor,
    a: withUnits(t, 'aInverse', name, a),
    g: withUnits(t, 'gInverse', name, g),
  }));
  kfacInverses(t.status, { failures, updates }, pairs, damping);
  return (v, i) => {
    const [a, g] = [resultsOf(pairs[i].a), resultsOf(pairs[i].g)];
    if (isDiagonal(a[0])) return mul(timesBlocks(v, g), reshape(a[0], [-1, 1]));
    return timesBlocks(blocksTimes(g, v), a);
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
