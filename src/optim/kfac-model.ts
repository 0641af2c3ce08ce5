import { FlatminError } from '../errors.ts';
import type { Tap, Value } from '../graph/graph.ts';
import { keep } from '../ops/assign.ts';
import { add, mul, sub } from '../ops/binary.ts';
import { fill } from '../ops/fill.ts';
import { kfacSplit } from '../ops/kfac.ts';
import { kfacModel } from '../ops/kfac_model.ts';
import type { TableRows } from '../ops/table_rows.ts';
import type { OptimizerTrace, Pass } from '../step/context.ts';

/** Of one layer: the gradient V with its weight decay, and U, V by the inverse of the damped factors. */
export interface LayerStep {
  readonly name: string;
  readonly tap: Tap;
  readonly v: Value;
  readonly u: Value;
  /** Of a table of which U and V are some rows: which ones. */
  readonly rows?: TableRows | undefined;
}

/**
 * θ ← θ + δ for the δ = −αU + μδ₀, δ₀ the last update, that makes M(δ) = Vᵀδ + ½δᵀ(F + λd + λ)δ least, F the exact
 * Fisher of the batch (Martens & Grosse 2015, 6.4 and 7). Returns M(δ).
 */
export function stepByModel(
  t: OptimizerTrace,
  pass: Pass,
  steps: readonly LayerStep[],
  { damping, weightDecay }: { damping: Value; weightDecay: number },
): Value {
  if (pass.fisherProducts === undefined) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      "lr 'model' needs a model, whose outputs it differentiates; on arrays there is none. Help: give a learning rate.",
    );
  }
  const params = steps.flatMap(({ tap }) => [tap.weight, ...(tap.bias ? [tap.bias] : [])]);
  const left = t.params.filter(({ value }) => !params.includes(value));
  if (left.length > 0) {
    const names = left.map(({ name }) => `"${name}"`).join(', ');
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `lr 'model' has no rate for ${names}, outside the layers that K-FAC covers. Help: groups([{ match, optimizer: sgd({ lr }) }, { optimizer: kfac({ lr: 'model' }) }]).`,
    );
  }
  const one = fill(t.graph, [], 1);
  const split = (matrices: readonly Value[]) =>
    steps.flatMap(({ tap }, i) => {
      const { weight, bias } = kfacSplit(matrices[i], one, tap.weight.shape);
      return tap.bias ? [weight, bias] : [weight];
    });
  const layers = steps.map(({ name, v, u }) => ({ v, u, last: t.state(`update/${name}`, u.type) }));
  const last = layers.map((layer) => layer.last);
  const curvatures = pass.fisherProducts(params, [split(layers.map(({ u }) => u)), split(last)]);
  const { alpha, mu, change } = kfacModel(curvatures, damping, layers, weightDecay);
  const updates = layers.map((layer) => sub(mul(layer.last, mu), mul(layer.u, alpha)));
  const moves = split(updates);
  const moved = params.map((value, i) => add(value, moves[i]));
  keep(t.status, [...params, ...last], [...moved, ...updates]);
  return change;
}
