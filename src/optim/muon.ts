import { z } from 'zod';
import { affine } from '../ops/elementwise.ts';
import { momentum } from '../ops/momentum.ts';
import { ORTHOGONALIZERS, orthogonalize } from '../ops/orthogonalize.ts';
import { sgdOp } from '../ops/sgd.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { flattened, ofMatrices } from './matrices.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { decay, nonNegative, rate } from './options.ts';

/**
 * Options of Muon: its rate, momentum, decoupled weight decay, how matrices are made orthogonal and the scale of a step.
 * An unknown option or a value out of range is `FLATMIN_ARGUMENT`.
 */
export interface MuonOptions {
  /** Learning rate η, or a schedule. */
  lr: Rate;
  /** μ. Default 0.95. */
  momentum?: number;
  /** u = g + μv instead of v. Default true. */
  nesterov?: boolean;
  /** Decoupled λ. Default 0. */
  weightDecay?: number;
  /** How u is made orthogonal, as in `orthogonalize`. Default `newton-schulz`. */
  method?: 'exact' | 'newton-schulz' | 'polar-express';
  /**
   * s: √max(1, rows/cols), or `match-rms-adamw`, 0.2√max(rows, cols), whose steps are as large as AdamW's, so that its
   * rate and decay serve (Liu et al. 2025). Default `original`.
   */
  scale?: 'original' | 'match-rms-adamw';
}

const schema = schemaOf<MuonOptions>()(
  z.strictObject({
    lr: rate,
    momentum: decay.default(0.95),
    nesterov: z.boolean().default(true),
    weightDecay: nonNegative.default(0),
    method: z.enum(ORTHOGONALIZERS).default('newton-schulz'),
    scale: z.enum(['original', 'match-rms-adamw']).default('original'),
  }),
);

/**
 * Muon (Jordan 2024): v ← μv + g; u = g + μv; O = the orthogonal polar factor of u, about; θ ← θ − η(s·O + λθ).
 * For matrices inside a network: embeddings, heads, norms and biases are better off with AdamW (`muonWithAdamW`).
 * A tensor [out, …] is the matrix [out, everything else], a vector a matrix of one column. State: 4 bytes a parameter.
 */
export const muon = defineOptimizer('muon', schema, trace, {
  title: 'Muon',
  equation: 'v ← μv + g; θ ← θ − η(s·O + λθ), O the orthogonal factor of g + μv',
  variants: {},
});

function trace(t: OptimizerTrace, options: z.output<typeof schema>): void {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const directions =
    options.momentum === 0
      ? grads
      : momentum(
          t.status,
          t.params.map(({ name, value }, i) => ({
            grad: grads[i],
            velocity: t.state(`momentum/${name}`, value.type),
          })),
          options,
        );
  const factors = ofMatrices(t, directions, (batches, settled) =>
    orthogonalize(batches, options.method, settled),
  );
  t.graph.add(
    sgdOp,
    [
      t.status,
      ...t.params.flatMap(({ value }, i) => [
        value,
        affine(factors[i], scaleOf(flattened(value.shape), options.scale)),
      ]),
    ],
    {
      lrSlot: rateSlot(t.graph, options.lr).index,
      momentum: 0,
      nesterov: 0,
      weightDecay: options.weightDecay,
      decoupled: 1,
    },
  );
}

function scaleOf([rows, cols]: [number, number], scale: 'original' | 'match-rms-adamw'): number {
  return scale === 'original'
    ? Math.sqrt(Math.max(1, rows / Math.max(1, cols)))
    : 0.2 * Math.sqrt(Math.max(rows, cols));
}
