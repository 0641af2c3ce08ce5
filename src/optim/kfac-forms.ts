import type { Value } from '../graph/graph.ts';
import { packedOrder } from '../linalg/packed.ts';
import type { Numbers } from '../ops/define.ts';
import { inEigenbasis, kfacEigen } from '../ops/kfac_eigen.ts';
import { matmul } from '../ops/linear.ts';
import { kfacInverses } from '../ops/roots.ts';
import type { OptimizerTrace } from './optimizer.ts';

/** The factors of a layer, packed. */
export interface LayerFactors {
  readonly name: string;
  /** Index of the weight among the parameters, for messages. */
  readonly tensor: number;
  readonly a: Value;
  readonly g: Value;
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

const orderOf = (factor: Value) => packedOrder(factor.size);
const square = (factor: Value) => ({
  dtype: 'f32' as const,
  shape: [orderOf(factor), orderOf(factor)],
});

/** U = (G + √λd/π I)⁻¹ V (A + π√λd I)⁻¹. */
const inverse: Form = (t, layers, damping) => {
  const failures = counters(t, 2);
  const inverses = layers.map(({ name, a, g }) => ({
    aInverse: t.state(`aInverse/${name}`, square(a), identity(a)),
    gInverse: t.state(`gInverse/${name}`, square(g), identity(g)),
  }));
  const pairs = layers.map((layer, i) => ({ ...layer, ...inverses[i] }));
  kfacInverses(t.status, failures, pairs, damping);
  return (v, i) => matmul(matmul(inverses[i].gInverse, v), inverses[i].aInverse);
};

/** U = Q_Gᵀ ((Q_G V Q_Aᵀ) / (gₒaᵢ + λd)) Q_A. */
const eigen: Form = (t, layers, damping) => {
  const failures = counters(t, 1);
  const forms = layers.map(({ name, a, g }) => ({
    aBasis: t.state(`aBasis/${name}`, square(a), identity(a)),
    gBasis: t.state(`gBasis/${name}`, square(g), identity(g)),
    scale: t.state(`scale/${name}`, { dtype: 'f32', shape: [orderOf(g), orderOf(a)] }, (data) =>
      data.fill(1),
    ),
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

const identity = (factor: Value) => (data: Numbers) => {
  const n = orderOf(factor);
  for (let i = 0; i < n; i++) data[i * n + i] = 1;
};
