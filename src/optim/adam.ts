import { z } from 'zod';
import { SQUARES } from '../ops/status.ts';
import { schemaOf } from '../options.ts';
import { type AdamCommon, adamFields, adamStep } from './adam-step.ts';
import { defineOptimizer } from './optimizer.ts';
import { nonNegative } from './options.ts';

/**
 * Options of Adam: its rate, both β, ε, AMSGrad and weight decay. An unknown option or a value out of range is `FLATMIN_ARGUMENT`.
 */
export interface AdamOptions extends AdamCommon {
  /** λ, a term ½λ‖θ‖² of the loss: g ← g + λθ. Default 0. */
  weightDecay?: number;
}

const schema = schemaOf<AdamOptions>()(
  z.strictObject({
    ...adamFields,
    weightDecay: nonNegative.default(0),
  }),
);

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
