import { z } from 'zod';
import { lionOp } from '../ops/lion.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { betas, nonNegative, rate } from './options.ts';

const schema = z.strictObject({
  /** Learning rate η, or a schedule: 1e-4 is usual, 3 to 10 times below AdamW's. */
  lr: rate,
  /** (β₁, β₂). Default (0.9, 0.99). */
  betas: betas.default([0.9, 0.99]),
  /** Decoupled λ. Default 0. */
  weightDecay: nonNegative.default(0),
});

export type LionOptions = z.input<typeof schema>;

/**
 * Lion (Chen et al. 2023, arXiv 2302.06675): c = β₁m + (1−β₁)g; θ ← θ − η(sign(c) + λθ); m ← β₂m + (1−β₂)g.
 * State: 4 bytes a parameter.
 */
export const lion = defineOptimizer('lion', schema, (t, options) => {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const [beta1, beta2] = options.betas;
  t.graph.add(
    lionOp,
    [
      t.status,
      ...t.params.flatMap(({ name, value }, i) => [
        value,
        grads[i],
        t.state(`momentum/${name}`, value.type),
      ]),
    ],
    {
      lrSlot: rateSlot(t.graph, options.lr).index,
      beta1,
      beta2,
      weightDecay: options.weightDecay,
    },
  );
});
