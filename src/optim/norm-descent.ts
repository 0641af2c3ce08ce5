import { z } from 'zod';
import type { Value } from '../graph/graph.ts';
import { keep } from '../ops/assign.ts';
import { add, mul } from '../ops/binary.ts';
import { affine } from '../ops/elementwise.ts';
import { NORMS, type Norm, normDescentOp } from '../ops/norm_descent.ts';
import { leadingPair, orthogonalize, type Settled } from '../ops/orthogonalize.ts';
import { sum } from '../ops/reduce.ts';
import { sgdOp } from '../ops/sgd.ts';
import { ROOM } from '../ops/status.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { ofMatrices } from './matrices.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { decay, nonNegative, rate } from './options.ts';

/** −LMO of batches of matrices. */
const OF_MATRICES = {
  spectral: (batches: readonly Value[], settled: Settled) =>
    orthogonalize(batches, 'exact', settled),
  nuclear: leadingPair,
};

/**
 * Options of norm-constrained descent: its rate, the norm, the length of a step in it, momentum and decoupled weight
 * decay. An unknown option or a value out of range is `FLATMIN_ARGUMENT`.
 */
export interface NormDescentOptions {
  /** Learning rate η, or a schedule: the length of a step in the norm when `scale` is `unit`. */
  lr: Rate;
  /**
   * The norm of each tensor; `frobenius` is `l2` of its elements, `spectral` and `nuclear` are those of the matrix
   * [out, everything else]. Default `l2`.
   */
  norm?: 'l1' | 'nuclear' | 'l2' | 'linf' | 'frobenius' | 'spectral';
  /** Steps of length η, or of η times the dual norm of m. Default `unit`. */
  scale?: 'unit' | 'dual';
  /** μ of m ← μm + (1−μ)g. Default 0, which keeps no state. */
  momentum?: number;
  /** Decoupled λ. Default 0. */
  weightDecay?: number;
}

const schema = schemaOf<NormDescentOptions>()(
  z.strictObject({
    lr: rate,
    norm: z.enum([...NORMS, 'frobenius', 'spectral', 'nuclear']).default('l2'),
    scale: z.enum(['unit', 'dual']).default('unit'),
    momentum: decay.default(0),
    weightDecay: nonNegative.default(0),
  }),
);

type Options = z.output<typeof schema>;

/**
 * Norm-constrained descent by a linear minimisation oracle: θ ← θ + η(LMO(m) − λθ), LMO(m) = argmin of ⟨m, x⟩ over
 * ‖x‖ = 1: −m/‖m‖₂ for ℓ₂, −sign m for ℓ∞, for ℓ₁ the largest coordinate alone, ties to the lower index; of a matrix
 * m = UΣVᵀ −UVᵀ for the spectral norm and −u₁v₁ᵀ for the nuclear one. Zero m: decay only. State: 4 bytes a parameter
 * with momentum, none without.
 */
export const normDescent = defineOptimizer('normDescent', schema, trace, {
  title: 'Norm descent',
  equation: 'θ ← θ + η(LMO(m) − λθ), LMO(m) = argmin of ⟨m, x⟩ over ‖x‖ = 1',
  variants: { 'norm-descent': { lr: 0.02, norm: 'spectral' } },

  largest: (_, { scale }) => (scale === 'unit' ? 2 ** 127 : ROOM),
});

function trace(t: OptimizerTrace, options: Options): void {
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const momenta =
    options.momentum === 0
      ? []
      : t.params.map(({ name, value }) => t.state(`momentum/${name}`, value.type));
  const { norm } = options;
  if (norm === 'spectral' || norm === 'nuclear') {
    descendMatrices(t, grads, momenta, { ...options, norm });
  } else {
    descend(t, grads, momenta, { ...options, norm: norm === 'frobenius' ? 'l2' : norm });
  }
}

function descend(
  t: OptimizerTrace,
  grads: readonly Value[],
  momenta: readonly Value[],
  { lr, norm, scale, momentum, weightDecay }: Options & { norm: Norm },
): void {
  t.graph.add(
    normDescentOp,
    [
      t.status,
      ...t.params.flatMap(({ value }, i) => [value, grads[i], ...momenta.slice(i, i + 1)]),
    ],
    {
      lrSlot: rateSlot(t.graph, lr).index,
      momentum,
      weightDecay,
      norm: NORMS.indexOf(norm),
      dual: Number(scale === 'dual'),
    },
  );
}

function descendMatrices(
  t: OptimizerTrace,
  grads: readonly Value[],
  momenta: readonly Value[],
  { lr, norm, scale, momentum, weightDecay }: Options & { norm: keyof typeof OF_MATRICES },
): void {
  const next = momenta.map((m, i) => add(affine(m, momentum), affine(grads[i], 1 - momentum)));
  if (momenta.length > 0) keep(t.status, momenta, next);
  const m = momenta.length > 0 ? next : grads;
  const units = ofMatrices(t, m, OF_MATRICES[norm]);
  // The dual norm is ⟨m, u⟩ for the u that makes it largest.
  const directions = scale === 'unit' ? units : units.map((u, i) => mul(u, sum(mul(m[i], u))));
  t.graph.add(sgdOp, [t.status, ...t.params.flatMap(({ value }, i) => [value, directions[i]])], {
    lrSlot: rateSlot(t.graph, lr).index,
    momentum: 0,
    nesterov: 0,
    weightDecay,
    decoupled: 1,
  });
}
