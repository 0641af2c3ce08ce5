import { z } from 'zod';
import { SQUARES } from '../ops/status.ts';
import { schemaOf } from '../options.ts';
import { type AdamCommon, adamFields, adamStep } from './adam-step.ts';
import { defineOptimizer } from './optimizer.ts';
import { nonNegative } from './options.ts';

/**
 * Options of AdamW: its rate, both β, ε, AMSGrad and decoupled weight decay. An unknown option or a value out of range is
 * `FLATMIN_ARGUMENT`.
 */
export interface AdamwOptions extends AdamCommon {
  /** Decoupled λ. Default 0.01. */
  weightDecay?: number;
}

const schema = schemaOf<AdamwOptions>()(
  z.strictObject({
    ...adamFields,
    weightDecay: nonNegative.default(0.01),
  }),
);

/**
 * AdamW (Loshchilov & Hutter 2019): m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²;
 * θ ← θ − η(m̂/(√v̂ + ε) + λθ) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ). State: 8 bytes a parameter.
 */
export const adamw = defineOptimizer(
  'adamw',
  schema,
  (t, options) => {
    adamStep(t, { ...options, decoupled: 1 });
  },
  {
    title: 'AdamW',
    equation: 'm, v as Adam; θ ← θ − η(m̂/(√v̂ + ε) + λθ)',
    variants: { adamw: { lr: 1e-3, weightDecay: 0.01 } },
    counts: true,
    largest: () => SQUARES,
  },
);
