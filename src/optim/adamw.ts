import { z } from 'zod';
import { adamwOp } from '../ops/adamw.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { betas, nonNegative, positive, rate } from './options.ts';

const schema = z.strictObject({
  /** Learning rate η, or a schedule. */
  lr: rate,
  /** (β₁, β₂). Default (0.9, 0.999). */
  betas: betas.default([0.9, 0.999]),
  /** ε beside √v̂. Default 1e-8. */
  eps: positive.default(1e-8),
  /** Decoupled λ. Default 0.01. */
  weightDecay: nonNegative.default(0.01),
});

export type AdamwOptions = z.input<typeof schema>;

/**
 * AdamW (Loshchilov & Hutter 2019): m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²;
 * θ ← θ − η(m̂/(√v̂ + ε) + λθ) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ). State: 8 bytes a parameter.
 */
export const adamw = defineOptimizer('adamw', schema, (t, options) => {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const [beta1, beta2] = options.betas;
  t.graph.add(
    adamwOp,
    [
      t.status,
      ...t.params.flatMap(({ name, value }, i) => [
        value,
        grads[i],
        t.state(`m/${name}`, value.type),
        t.state(`v/${name}`, value.type),
      ]),
    ],
    {
      lrSlot: rateSlot(t.graph, options.lr).index,
      stepSlot: t.graph.step.index,
      beta1,
      beta2,
      eps: options.eps,
      weightDecay: options.weightDecay,
      decoupled: 1,
    },
  );
});
