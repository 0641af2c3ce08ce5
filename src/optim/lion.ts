import { z } from 'zod';
import { angularNoise } from '../ops/angular_noise.ts';
import { lionOp } from '../ops/lion.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { betas, nonNegative, rate } from './options.ts';

/**
 * Options of Lion: its rate, both β, decoupled weight decay, the type that momentum is kept in, and whether to report the
 * angular noise. An unknown option or a value out of range is `FLATMIN_ARGUMENT`.
 */
export interface LionOptions {
  /** Learning rate η, or a schedule: 1e-4 is usual, 3 to 10 times below AdamW's. */
  lr: Rate;
  /** (β₁, β₂). Default (0.9, 0.99). */
  betas?: [number, number];
  /** Decoupled λ. Default 0. */
  weightDecay?: number;
  /**
   * What m is kept in: `float32`, or `bf16`, which is rounded to 8 significant bits after every step (to the nearest,
   * ties to even) and computed with in float32; of 20 bytes that a step moves for a parameter 16 remain. State: 4 or 2
   * bytes a parameter. Default `float32`.
   */
  momentumDtype?: 'float32' | 'bf16';
  /**
   * Report the angular noise arccos ‖c‖₁/(√n‖c‖₂) of every step, the angle between c and sign(c) in radians, of all
   * tensors and of each: one more pass over g and m. Default false.
   */
  angularNoise?: boolean;
}

const schema = schemaOf<LionOptions>()(
  z.strictObject({
    lr: rate,
    betas: betas.default([0.9, 0.99]),
    weightDecay: nonNegative.default(0),
    momentumDtype: z.enum(['float32', 'bf16']).default('float32'),
    angularNoise: z.boolean().default(false),
  }),
);

/**
 * Lion (Chen et al. 2023, arXiv 2302.06675): c = β₁m + (1−β₁)g; θ ← θ − η(sign(c) + λθ); m ← β₂m + (1−β₂)g.
 * State: 4 bytes a parameter, 2 with `momentumDtype: 'bf16'`.
 */
// Means stay below what they are of, and 2^127 is a bfloat16.
export const lion = defineOptimizer('lion', schema, trace, {
  title: 'Lion',
  equation: 'θ ← θ − η(sign(β₁m + (1−β₁)g) + λθ); m ← β₂m + (1−β₂)g',
  variants: { lion: { lr: 1e-4 } },
  largest: () => 2 ** 127,
});

function trace(t: OptimizerTrace, options: z.output<typeof schema>): void {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const [beta1, beta2] = options.betas;
  const dtype = options.momentumDtype === 'bf16' ? 'bf16' : 'f32';
  const momenta = t.params.map(({ name, value: { shape } }) =>
    t.state(`momentum/${name}`, { dtype, shape }),
  );
  if (options.angularNoise) {
    const { all, each } = angularNoise(
      momenta.map((momentum, i) => ({ grad: grads[i], momentum })),
      beta1,
    );
    t.report('angularNoise', all);
    t.params.forEach(({ name }, i) => {
      t.report('angularNoises', each[i], name);
    });
  }
  t.graph.add(
    lionOp,
    [t.status, ...t.params.flatMap(({ value }, i) => [value, grads[i], momenta[i]])],
    {
      lrSlot: rateSlot(t.graph, options.lr).index,
      beta1,
      beta2,
      weightDecay: options.weightDecay,
    },
  );
}
