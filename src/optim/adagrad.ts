import { z } from 'zod';
import { adagradOp } from '../ops/adagrad.ts';
import { SQUARES } from '../ops/status.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { nonNegative, positive, rate } from './options.ts';

/** Options of Adagrad: its rate, ε and weight decay. An unknown option or a value out of range is `FLATMIN_ARGUMENT`. */
export interface AdagradOptions {
  /** Learning rate η, or a schedule. */
  lr: Rate;
  /** ε beside √v. Default 1e-10. */
  eps?: number;
  /** g/√(v + ε) instead of g/(√v + ε). Default false. */
  epsInsideSqrt?: boolean;
  /** λ, a term ½λ‖θ‖² of the loss. Default 0. */
  weightDecay?: number;
  /** θ ← θ − ηλθ apart from the gradient, instead of g ← g + λθ. Default false. */
  decoupled?: boolean;
}

const schema = schemaOf<AdagradOptions>()(
  z.strictObject({
    lr: rate,
    eps: positive.default(1e-10),
    epsInsideSqrt: z.boolean().default(false),
    weightDecay: nonNegative.default(0),
    decoupled: z.boolean().default(false),
  }),
);

/** Adagrad (Duchi, Hazan, Singer 2011): v ← v + g²; θ ← θ − ηg/(√v + ε). State: 4 bytes a parameter. */
export const adagrad = defineOptimizer('adagrad', schema, trace, {
  title: 'Adagrad',
  equation: 'v ← v + g²; θ ← θ − ηg/(√v + ε)',
  variants: { adagrad: { lr: 0.01 } },
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
      decay: 1,
      weight: 1,
      eps: options.eps,
      epsInsideSqrt: Number(options.epsInsideSqrt),
      weightDecay: options.weightDecay,
      decoupled: Number(options.decoupled),
    },
  );
}
