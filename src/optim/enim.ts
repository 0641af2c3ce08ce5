import { z } from 'zod';
import { enimOp } from '../ops/enim.ts';
import { schemaOf } from '../options.ts';
import { STREAM } from '../random/philox.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { angle, betas, nonNegative, rate } from './options.ts';

/**
 * Options of Enim: its rate, the angle that it rotates by, what it rotates as one vector, both β and decoupled weight
 * decay. An unknown option or a value out of range is `FLATMIN_ARGUMENT`.
 */
export interface EnimOptions {
  /** Learning rate η, or a schedule. */
  lr: Rate;
  /** Angle φ in radians, from 0 to π. Default arccos √(2/π) ≈ 0.647, that of Lion for a random direction. */
  angle?: number;
  /** What is rotated as one vector: each tensor, or all of them. Default `tensor`. */
  scope?: 'tensor' | 'global';
  /** (β₁, β₂). Default (0.9, 0.99). */
  betas?: [number, number];
  /** Decoupled λ. Default 0. */
  weightDecay?: number;
}

const schema = schemaOf<EnimOptions>()(
  z.strictObject({
    lr: rate,
    angle: angle.default(Math.acos(Math.sqrt(2 / Math.PI))),
    scope: z.enum(['tensor', 'global']).default('tensor'),
    betas: betas.default([0.9, 0.99]),
    weightDecay: nonNegative.default(0),
  }),
);

/**
 * Enim (Elistratov, Podivilov, Iuzhakov, Vetrov): Lion whose sign(c) is replaced by a random rotation of the normalised
 * direction by a fixed angle: d = c/‖c‖₂; r = z − (z·d)d, z ~ N(0, I); u = √n(cos φ · d + sin φ · r/‖r‖₂);
 * θ ← θ − η(u + λθ). One element: u = d. Zero c: decay only. z follows from seed, step, tensor and element.
 * State: 4 bytes a parameter.
 */
export const enim = defineOptimizer('enim', schema, trace, {
  title: 'Enim',
  equation: 'θ ← θ − η(u + λθ), u the normalised β₁m + (1−β₁)g turned by φ; m ← β₂m + (1−β₂)g',
  variants: { enim: { lr: 1e-4 } },
});

function trace(t: OptimizerTrace, options: z.output<typeof schema>): void {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const [beta1, beta2] = options.betas;
  t.graph.add(
    enimOp,
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
      seedSlot: t.graph.seed.index,
      stepSlot: t.graph.step.index,
      stream: STREAM.enim,
      tensors: t.params.map(({ index }) => index),
      beta1,
      beta2,
      weightDecay: options.weightDecay,
      angle: options.angle,
      global: Number(options.scope === 'global'),
    },
  );
}
