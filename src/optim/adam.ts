import { z } from 'zod';
import { SQUARES } from '../ops/status.ts';
import { adamFields, adamStep } from './adam-step.ts';
import { defineOptimizer } from './optimizer.ts';
import { nonNegative } from './options.ts';

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
  {
    title: 'Adam',
    equation: 'm ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; θ ← θ − η m̂/(√v̂ + ε)',
    variants: { adam: { lr: 1e-3 }, amsgrad: { lr: 1e-3, amsgrad: true } },
    counts: true,
    largest: () => SQUARES,
  },
);
