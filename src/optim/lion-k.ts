import { z } from 'zod';
import type { Value } from '../graph/graph.ts';
import { keep } from '../ops/assign.ts';
import { add } from '../ops/binary.ts';
import { affine } from '../ops/elementwise.ts';
import { kindOf, lionKOp, lionLargestOp, lionLpOp } from '../ops/lion_k.ts';
import { ORTHOGONALIZERS, type Orthogonalizer, orthogonalize } from '../ops/orthogonalize.ts';
import { sgdOp } from '../ops/sgd.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { ofMatrices } from './matrices.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { atLeast1, betas, count, nonNegative, positive, rate } from './options.ts';

/** A convex function K of a tensor c, by its `kind`. */
export type ConvexFunction =
  | {
      /** `l1`: ‖c‖₁. `squared`: ½‖c‖₂². */
      kind: 'l1' | 'squared';
    }
  | {
      /** ‖c‖ₚ. */
      kind: 'lp';
      /** The norm's p, at least 1. */
      p: number;
    }
  | {
      /** Σ max(│cᵢ│ − e, 0): no step where │cᵢ│ ≤ e. */
      kind: 'deadZone';
      /** Half the width of the zone, in the units of c; at least 0. */
      e: number;
    }
  | {
      /** `huber`: Σ huberₑ(cᵢ), whose gradient is clip(c/e, −1, 1). `smooth`: Σ √(cᵢ² + e²). */
      kind: 'huber' | 'smooth';
      /** Where squares turn to absolute values, in the units of c; above 0. */
      e: number;
    }
  | {
      /** Sum of the k largest │cᵢ│; ties go to the lower index. */
      kind: 'largest';
      /** How many elements of c are summed: a whole number of at least 1. */
      k: number;
    }
  | {
      /** ‖C‖_* of the matrix [out, everything else], whose gradient is U·Vᵀ of its SVD. */
      kind: 'nuclear';
      /** As of `orthogonalize`: the iterations of Muon cost less on large matrices. Default `exact`. */
      method?: Orthogonalizer;
    };

/**
 * Options of Lion-K: its rate, the convex function K, both β and decoupled weight decay. An unknown option or a value out
 * of range is `FLATMIN_ARGUMENT`.
 */
export interface LionKOptions {
  /** Learning rate η, or a schedule. */
  lr: Rate;
  /**
   * K, of each tensor as one vector: `l1`, `lp`, `deadZone`, `huber`, `smooth`, `largest`, `squared`, or `nuclear` of the matrix.
   * Default `{ kind: 'l1' }`, which is Lion.
   */
  K?: ConvexFunction;
  /** (β₁, β₂). Default (0.9, 0.99). */
  betas?: [number, number];
  /** Decoupled λ: bounds λθ to the domain of K's conjugate. Default 0. */
  weightDecay?: number;
}

const schema = schemaOf<LionKOptions>()(
  z.strictObject({
    lr: rate,
    K: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('l1') }),
        z.strictObject({ kind: z.literal('lp'), p: atLeast1 }),
        z.strictObject({ kind: z.literal('deadZone'), e: nonNegative }),
        z.strictObject({ kind: z.literal('huber'), e: positive }),
        z.strictObject({ kind: z.literal('smooth'), e: positive }),
        z.strictObject({ kind: z.literal('largest'), k: count }),
        z.strictObject({ kind: z.literal('squared') }),
        z.strictObject({
          kind: z.literal('nuclear'),
          method: z.enum(ORTHOGONALIZERS).default('exact'),
        }),
      ])
      .default({ kind: 'l1' }),
    betas: betas.default([0.9, 0.99]),
    weightDecay: nonNegative.default(0),
  }),
);

/**
 * Lion-K (Chen, Liu, Liang, Liu 2023, arXiv 2310.05898): c = β₁m + (1−β₁)g; θ ← θ − η(∇K(c) + λθ);
 * m ← β₂m + (1−β₂)g, which minimises f(θ) + K*(λθ)/λ. State: 4 bytes a parameter.
 */
export const lionK = defineOptimizer('lionK', schema, trace, {
  title: 'Lion-K',
  equation: 'θ ← θ − η(∇K(β₁m + (1−β₁)g) + λθ); m ← β₂m + (1−β₂)g',
  variants: { 'lion-k': { lr: 3e-3, K: { kind: 'lp', p: 1.5 } } },
  largest: () => 2 ** 127,
});

function trace(t: OptimizerTrace, options: z.output<typeof schema>): void {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const { K } = options;
  if (K.kind === 'nuclear') {
    nuclear(t, grads, options, K.method);
    return;
  }
  const [beta1, beta2] = options.betas;
  const inputs: Value[] = [
    t.status,
    ...t.params.flatMap(({ name, value }, i) => [
      value,
      grads[i],
      t.state(`momentum/${name}`, value.type),
    ]),
  ];
  const attrs = {
    lrSlot: rateSlot(t.graph, options.lr).index,
    beta1,
    beta2,
    weightDecay: options.weightDecay,
  };
  if (K.kind === 'lp') t.graph.add(lionLpOp, inputs, { ...attrs, p: K.p });
  else if (K.kind === 'largest') t.graph.add(lionLargestOp, inputs, { ...attrs, k: K.k });
  else {
    const e = 'e' in K ? K.e : 0;
    t.graph.add(lionKOp, inputs, { ...attrs, kind: kindOf(K.kind), e });
  }
}

function nuclear(
  t: OptimizerTrace,
  grads: readonly Value[],
  { lr, betas: [beta1, beta2], weightDecay }: z.output<typeof schema>,
  method: Orthogonalizer,
): void {
  const momenta = t.params.map(({ name, value }) => t.state(`momentum/${name}`, value.type));
  const blend = (beta: number) =>
    grads.map((g, i) => add(affine(momenta[i], beta), affine(g, 1 - beta)));
  const directions = ofMatrices(t, blend(beta1), (batches, settled) =>
    orthogonalize(batches, method, settled),
  );
  const next = blend(beta2);
  t.graph.add(sgdOp, [t.status, ...t.params.flatMap(({ value }, i) => [value, directions[i]])], {
    lrSlot: rateSlot(t.graph, lr).index,
    momentum: 0,
    nesterov: 0,
    weightDecay,
    decoupled: 1,
  });
  keep(t.status, momenta, next);
}
