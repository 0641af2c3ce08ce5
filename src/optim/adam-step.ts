import { z } from 'zod';
import { adamwOp } from '../ops/adamw.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { rateSlot } from './optimizer.ts';
import { betas, positive, rate } from './options.ts';

/** What Adam and AdamW share; they differ in their weight decay. */
export interface AdamCommon {
  /** Learning rate η, or a schedule. */
  lr: Rate;
  /** (β₁, β₂). Default (0.9, 0.999). */
  betas?: [number, number];
  /** ε beside √v̂. Default 1e-8. */
  eps?: number;
  /** AMSGrad (Reddi et al. 2018): v̂ from the largest v so far; 4 bytes a parameter more. Default false. */
  amsgrad?: boolean;
}

export const adamFields = {
  lr: rate,
  betas: betas.default([0.9, 0.999]),
  eps: positive.default(1e-8),
  amsgrad: z.boolean().default(false),
};

type Fields = z.output<ReturnType<typeof z.strictObject<typeof adamFields>>>;

/** One step of Adam, or of AdamW where the decay is `decoupled` from the gradient, 1. */
export function adamStep(
  t: OptimizerTrace,
  options: Fields & { weightDecay: number; decoupled: number },
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
