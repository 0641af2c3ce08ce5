import { z } from 'zod';
import type { Value } from '../graph/graph.ts';
import { keep } from '../ops/assign.ts';
import { add, div, minimum, mul, square } from '../ops/binary.ts';
import { affine } from '../ops/elementwise.ts';
import { fill } from '../ops/fill.ts';
import { sgdOp } from '../ops/sgd.ts';
import { LARGEST, SQUARES } from '../ops/status.ts';
import { sqrt } from '../ops/unary.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { decay, nonNegative, positive, rate } from './options.ts';

/**
 * Options of Adadelta: its rate, the decay of both mean squares, ε and weight decay. An unknown option or a value out of
 * range is `FLATMIN_ARGUMENT`.
 */
export interface AdadeltaOptions {
  /** Learning rate η, or a schedule; Zeiler's method has none, which is 1. */
  lr: Rate;
  /** Decay ρ of both mean squares. Default 0.9. */
  rho?: number;
  /** ε in both roots. Default 1e-6. */
  eps?: number;
  /** λ, a term ½λ‖θ‖² of the loss: g ← g + λθ. Default 0. */
  weightDecay?: number;
}

const schema = schemaOf<AdadeltaOptions>()(
  z.strictObject({
    lr: rate,
    rho: decay.default(0.9),
    eps: positive.default(1e-6),
    weightDecay: nonNegative.default(0),
  }),
);

/**
 * AdaDelta (Zeiler 2012): v ← ρv + (1−ρ)g²; Δ = √(u + ε)/√(v + ε) · g with the u before; u ← ρu + (1−ρ)Δ²; θ ← θ − ηΔ.
 * State: 8 bytes a parameter.
 */
export const adadelta = defineOptimizer('adadelta', schema, trace, {
  title: 'AdaDelta',
  equation: 'v ← ρv + (1−ρ)g²; Δ = √(u + ε)/√(v + ε) · g; u ← ρu + (1−ρ)Δ²; θ ← θ − ηΔ',
  variants: { adadelta: { lr: 1 } },
  largest: () => SQUARES,
});

function trace(t: OptimizerTrace, { lr, rho, eps, weightDecay }: z.output<typeof schema>): void {
  const { graph, status, params } = t;
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const largest = fill(graph, [], LARGEST);
  const mean = (before: Value, x: Value) =>
    minimum(add(affine(before, rho), affine(square(x), 1 - rho)), largest);
  const root = (x: Value) => sqrt(affine(x, 1, eps));
  const steps = params.flatMap(({ name, value }, i) => {
    const g = weightDecay === 0 ? grads[i] : add(grads[i], affine(value, weightDecay));
    const [v, u] = ['v', 'u'].map((state) => t.state(`${state}/${name}`, value.type));
    const next = mean(v, g);
    const delta = mul(div(root(u), root(next)), g);
    keep(status, [v, u], [next, mean(u, delta)]);
    return [value, delta];
  });
  const attrs = { momentum: 0, nesterov: 0, weightDecay: 0, decoupled: 1 };
  graph.add(sgdOp, [status, ...steps], { lrSlot: rateSlot(graph, lr).index, ...attrs });
}
