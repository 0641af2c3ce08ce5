import { z } from 'zod';
import { sgdOp } from '../ops/sgd.ts';
import type { OptimizerTrace } from '../step/context.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { decay, nonNegative, rate } from './options.ts';

const schema = z.strictObject({
  /** Learning rate η, or a schedule. */
  lr: rate,
  /** Momentum μ: v ← μv + g, θ ← θ − ηv. Default 0, which keeps no state. */
  momentum: decay.default(0),
  /** Nesterov's form: θ ← θ − η(g + μv). Default false. */
  nesterov: z.boolean().default(false),
  /** λ, a term ½λ‖θ‖² of the loss. Default 0. */
  weightDecay: nonNegative.default(0),
  /** θ ← θ − ηλθ apart from the gradient, instead of g ← g + λθ. Default false. */
  decoupled: z.boolean().default(false),
});

export type SgdOptions = z.input<typeof schema>;

/**
 * Stochastic gradient descent: θ ← θ − ηg, with momentum, Nesterov's form and weight decay as options.
 * State: 4 bytes a parameter with momentum, none without.
 */
export const sgd = defineOptimizer('sgd', schema, trace, {
  title: 'SGD',
  equation: 'θ ← θ − ηg; with momentum v ← μv + g; θ ← θ − ηv',
  variants: {
    sgd: { lr: 0.1 },
    momentum: { lr: 0.02, momentum: 0.9 },
    nesterov: { lr: 0.02, momentum: 0.9, nesterov: true },
  },
});

function trace(t: OptimizerTrace, options: z.output<typeof schema>): void {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const velocity = (name: string, shape: readonly number[]) =>
    options.momentum === 0 ? [] : [t.state(`momentum/${name}`, { dtype: 'f32', shape })];
  t.graph.add(
    sgdOp,
    [
      t.status,
      ...t.params.flatMap(({ name, value }, i) => [
        value,
        grads[i],
        ...velocity(name, value.shape),
      ]),
    ],
    {
      lrSlot: rateSlot(t.graph, options.lr).index,
      momentum: options.momentum,
      nesterov: Number(options.nesterov),
      weightDecay: options.weightDecay,
      decoupled: Number(options.decoupled),
    },
  );
}
