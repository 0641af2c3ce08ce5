import { z } from 'zod';
import { NORMS, normDescentOp } from '../ops/norm_descent.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { decay, nonNegative, rate } from './options.ts';

const schema = z.strictObject({
  /** Learning rate η, or a schedule: the length of a step in the norm when `scale` is `unit`. */
  lr: rate,
  /** The norm of each tensor; `frobenius` is `l2` of its elements. Default `l2`. */
  norm: z.enum([...NORMS, 'frobenius']).default('l2'),
  /** Steps of length η, or of η times the dual norm of m. Default `unit`. */
  scale: z.enum(['unit', 'dual']).default('unit'),
  /** μ of m ← μm + (1−μ)g. Default 0, which keeps no state. */
  momentum: decay.default(0),
  /** Decoupled λ. Default 0. */
  weightDecay: nonNegative.default(0),
});

export type NormDescentOptions = z.input<typeof schema>;

/**
 * Norm-constrained descent by a linear minimisation oracle: θ ← θ + η(LMO(m) − λθ), LMO(m) = argmin of ⟨m, x⟩ over
 * ‖x‖ = 1: −m/‖m‖₂ for ℓ₂, −sign m for ℓ∞, and for ℓ₁ the largest coordinate alone, ties to the lower index.
 * Zero m: decay only. State: 4 bytes a parameter with momentum, none without.
 */
export const normDescent = defineOptimizer('normDescent', schema, (t, options) => {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const norm = options.norm === 'frobenius' ? 'l2' : options.norm;
  t.graph.add(
    normDescentOp,
    [
      t.status,
      ...t.params.flatMap(({ name, value }, i) => [
        value,
        grads[i],
        ...(options.momentum === 0 ? [] : [t.state(`momentum/${name}`, value.type)]),
      ]),
    ],
    {
      lrSlot: rateSlot(t.graph, options.lr).index,
      momentum: options.momentum,
      weightDecay: options.weightDecay,
      norm: NORMS.indexOf(norm),
      dual: Number(options.scale === 'dual'),
    },
  );
});
