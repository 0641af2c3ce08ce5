import type { Value } from '../graph/graph.ts';
import type { Shape } from '../graph/types.ts';
import { identity, ones } from '../nn/init.ts';
import { mul } from '../ops/binary.ts';
import { inEigenbasis, kfacEigen } from '../ops/kfac_eigen.ts';
import { matmul } from '../ops/linear.ts';
import { reshape } from '../ops/reshape.ts';
import { kfacInverses } from '../ops/roots.ts';
import type { OptimizerTrace } from '../step/context.ts';

/** The factors of a layer. */
export interface LayerFactors {
  readonly name: string;
  /** Index of the weight among the parameters, for messages. */
  readonly tensor: number;
  /** Packed, or of an embedding the vector of its diagonal. */
  readonly a: Value;
  readonly g: Value;
  /** Of their inverses: matrices, or a vector where A is one. */
  readonly shapes: { readonly a: Shape; readonly g: Shape };
}

/**
 * A way to damp and invert A ⊗ G: traces what has to be refreshed with the factors, and returns what makes U of the
 * gradient V of a layer. Until a refresh was good U is V.
 */
type Form = (
  t: OptimizerTrace,
  layers: readonly LayerFactors[],
  damping: Value,
) => (v: Value, layer: number) => Value;

/** U = (G + √λd/π I)⁻¹ V (A + π√λd I)⁻¹, of an embedding its transpose. */
const inverse: Form = (t, layers, damping) => {
  const failures = counters(t, 2);
  const inverses = layers.map(({ name, shapes }) => ({
    aInverse: unit(t, `aInverse/${name}`, shapes.a),
    gInverse: unit(t, `gInverse/${name}`, shapes.g),
  }));
  const pairs = layers.map((layer, i) => ({ ...layer, ...inverses[i] }));
  kfacInverses(t.status, failures, pairs, damping);
  return (v, i) => {
    const { aInverse, gInverse } = inverses[i];
    if (isDiagonal(aInverse.shape)) return mul(matmul(v, gInverse), reshape(aInverse, [-1, 1]));
    return matmul(matmul(gInverse, v), aInverse);
  };
};

/** U = Q_Gᵀ ((Q_G V Q_Aᵀ) / (gₒaᵢ + λd)) Q_A. */
const eigen: Form = (t, layers, damping) => {
  const failures = counters(t, 1);
  const forms = layers.map(({ name, shapes }) => ({
    aBasis: isDiagonal(shapes.a) ? undefined : unit(t, `aBasis/${name}`, shapes.a),
    gBasis: unit(t, `gBasis/${name}`, shapes.g),
    scale: t.state(`scale/${name}`, { dtype: 'f32', shape: [shapes.g[0], shapes.a[0]] }, ones),
  }));
  const all = layers.map((layer, i) => ({ ...layer, ...forms[i] }));
  kfacEigen(t.status, failures, all, damping);
  return (v, i) => inEigenbasis(v, forms[i]);
};

/** So many for each parameter, since more layers may be shown later. */
const counters = (t: OptimizerTrace, each: number): Value => {
  const tensors = 1 + Math.max(...t.params.map(({ index }) => index));
  return t.state('failures', { dtype: 'i32', shape: [each * tensors] });
};

export const FORMS = { inverse, eigen };

const isDiagonal = (shape: Shape): boolean => shape.length === 1;

/** A matrix, or the vector of its diagonal, that begins as the identity. */
const unit = (t: OptimizerTrace, name: string, shape: Shape): Value =>
  t.state(name, { dtype: 'f32', shape }, isDiagonal(shape) ? ones : identity);
