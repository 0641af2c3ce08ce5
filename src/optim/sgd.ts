import { z } from 'zod';
import { sgdOp } from '../ops/sgd.ts';
import { gradientRows, sgdRows } from '../ops/table_rows.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { decay, nonNegative, rate } from './options.ts';

/**
 * Options of stochastic gradient descent: its rate, momentum, Nesterov's form and weight decay. An unknown option or a
 * value out of range is `FLATMIN_ARGUMENT`.
 */
export interface SgdOptions {
  /** Learning rate η, or a schedule. */
  lr: Rate;
  /** Momentum μ: v ← μv + g, θ ← θ − ηv. Default 0, which keeps no state. */
  momentum?: number;
  /** Nesterov's form: θ ← θ − η(g + μv). Default false. */
  nesterov?: boolean;
  /** λ, a term ½λ‖θ‖² of the loss. Default 0. */
  weightDecay?: number;
  /** θ ← θ − ηλθ apart from the gradient, instead of g ← g + λθ. Default false. */
  decoupled?: boolean;
}

const schema = schemaOf<SgdOptions>()(
  z.strictObject({
    lr: rate,
    momentum: decay.default(0),
    nesterov: z.boolean().default(false),
    weightDecay: nonNegative.default(0),
    decoupled: z.boolean().default(false),
  }),
);

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
  const { momentum, weightDecay } = options;
  const all = t.params.map(({ name, value }, i) => {
    const rows = momentum === 0 ? gradientRows(value, grads[i]) : undefined;
    const kept = momentum === 0 ? [] : [t.state(`momentum/${name}`, value.type)];
    return { value, rows, grad: rows?.sums ?? grads[i], kept };
  });
  t.checkFinite(all.map(({ grad }) => grad));
  const lrSlot = rateSlot(t.graph, options.lr).index;
  const common = { lrSlot, weightDecay, decoupled: Number(options.decoupled) };
  const whole = all.filter(({ rows }) => rows === undefined);
  t.graph.add(
    sgdOp,
    [t.status, ...whole.flatMap(({ value, grad, kept }) => [value, grad, ...kept])],
    { ...common, momentum, nesterov: Number(options.nesterov) },
  );
  for (const { value, rows } of all) {
    if (rows !== undefined) sgdRows(t.status, value, rows, common);
  }
}
