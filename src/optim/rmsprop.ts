import { z } from 'zod';
import { adagradOp } from '../ops/adagrad.ts';
import { SQUARES } from '../ops/status.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { decay, nonNegative, positive, rate } from './options.ts';

/**
 * Options of RMSProp: its rate, the decay γ of the mean square, ε and where it stands, and weight decay. An unknown
 * option or a value out of range is `FLATMIN_ARGUMENT`.
 */
export interface RmspropOptions {
  /** Learning rate η, or a schedule. */
  lr: Rate;
  /** Decay γ of the mean square. Default 0.99. */
  gamma?: number;
  /** ε beside √v. Default 1e-8. */
  eps?: number;
  /** g/√(v + ε) instead of g/(√v + ε). Default false. */
  epsInsideSqrt?: boolean;
  /** λ, a term ½λ‖θ‖² of the loss. Default 0. */
  weightDecay?: number;
  /** θ ← θ − ηλθ apart from the gradient, instead of g ← g + λθ. Default false. */
  decoupled?: boolean;
}

const schema = schemaOf<RmspropOptions>()(
  z.strictObject({
    lr: rate,
    gamma: decay.default(0.99),
    eps: positive.default(1e-8),
    epsInsideSqrt: z.boolean().default(false),
    weightDecay: nonNegative.default(0),
    decoupled: z.boolean().default(false),
  }),
);

/** RMSProp (Tieleman & Hinton 2012): v ← γv + (1−γ)g²; θ ← θ − ηg/(√v + ε). State: 4 bytes a parameter. */
export const rmsprop = defineOptimizer('rmsprop', schema, trace, {
  title: 'RMSProp',
  equation: 'v ← γv + (1−γ)g²; θ ← θ − ηg/(√v + ε)',
  variants: { rmsprop: { lr: 1e-3 } },
  largest: () => SQUARES,
});

function trace(t: OptimizerTrace, options: z.output<typeof schema>): void {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  t.graph.add(
    adagradOp,
    [
      t.status,
      ...t.params.flatMap(({ name, value }, i) => [
        value,
        grads[i],
        t.state(`v/${name}`, value.type),
      ]),
    ],
    {
      lrSlot: rateSlot(t.graph, options.lr).index,
      decay: options.gamma,
      weight: 1 - options.gamma,
      eps: options.eps,
      epsInsideSqrt: Number(options.epsInsideSqrt),
      weightDecay: options.weightDecay,
      decoupled: Number(options.decoupled),
    },
  );
}
