import { z } from 'zod';
import { adamwOp } from '../ops/adamw.ts';
import { SQUARES } from '../ops/status.ts';
import { defineOptimizer, type OptimizerTrace, rateSlot } from './optimizer.ts';
import { betas, nonNegative, positive, rate } from './options.ts';

/** What Adam and AdamW share; they differ in their weight decay. */
export const adamFields = {
  /** Learning rate η, or a schedule. */
  lr: rate,
  /** (β₁, β₂). Default (0.9, 0.999). */
  betas: betas.default([0.9, 0.999]),
  /** ε beside √v̂. Default 1e-8. */
  eps: positive.default(1e-8),
  /** AMSGrad (Reddi et al. 2018): v̂ from the largest v so far; 4 bytes a parameter more. Default false. */
  amsgrad: z.boolean().default(false),
};

const schema = z.strictObject({
  ...adamFields,
  /** λ, a term ½λ‖θ‖² of the loss: g ← g + λθ. Default 0. */
  weightDecay: nonNegative.default(0),
});

export type AdamOptions = z.input<typeof schema>;

/**
 * Adam (Kingma & Ba 2015): m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; θ ← θ − η m̂/(√v̂ + ε) with m̂ = m/(1−β₁ᵗ),
 * v̂ = v/(1−β₂ᵗ). State: 8 bytes a parameter.
 */
export const adam = defineOptimizer(
  'adam',
  schema,
  (t, options) => {
    adamStep(t, { ...options, decoupled: 0 });
  },
  { counts: true, largest: () => SQUARES },
);

export function adamStep(
  t: OptimizerTrace,
  options: z.output<typeof schema> & { decoupled: number },
): void {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const [beta1, beta2] = options.betas;
  const states = options.amsgrad ? ['m', 'v', 'vMax'] : ['m', 'v'];
  t.graph.add(
    adamwOp,
    [
      t.status,
      ...t.params.flatMap(({ name, value }, i) => [
        value,
        grads[i],
        ...states.map((state) => t.state(`${state}/${name}`, value.type)),
      ]),
    ],
    {
      lrSlot: rateSlot(t.graph, options.lr).index,
      stepSlot: t.graph.count.index,
      beta1,
      beta2,
      eps: options.eps,
      weightDecay: options.weightDecay,
      decoupled: options.decoupled,
      amsgrad: Number(options.amsgrad),
    },
  );
}
