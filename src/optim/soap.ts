import { z } from 'zod';
import type { Value } from '../graph/graph.ts';
import { sizeOf } from '../graph/types.ts';
import { packedSize } from '../linalg/packed.ts';
import { identity } from '../nn/init.ts';
import { keep } from '../ops/assign.ts';
import { add, mul } from '../ops/binary.ts';
import { affine } from '../ops/elementwise.ts';
import { fill } from '../ops/fill.ts';
import { modeApply, modeGram } from '../ops/modes.ts';
import { countUpdate } from '../ops/roots.ts';
import { sgdOp } from '../ops/sgd.ts';
import { type SoapBasis, soapBases, soapDirection } from '../ops/soap.ts';
import { SQUARES } from '../ops/status.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { betas, count, nonNegative, positive, rate } from './options.ts';
import { modesOf, preconditionedDims } from './preconditioner.ts';
import { every } from './refreshes.ts';

/**
 * Options of SOAP: its rate, both β, ε, decoupled weight decay, and how often and of which dimensions eigenbases are
 * kept. An unknown option or a value out of range is `FLATMIN_ARGUMENT`.
 */
export interface SoapOptions {
  /** Learning rate η, or a schedule. */
  lr: Rate;
  /** (β₁, β₂): of the mean of gradients; of their squares and of the statistics. Default (0.95, 0.95). */
  betas?: [number, number];
  /** ε beside √v̂. Default 1e-8. */
  eps?: number;
  /** Decoupled λ. Default 0. */
  weightDecay?: number;
  /** Steps between two updates of the eigenbases. Default 10. */
  basesEvery?: number;
  /** Flattens a tensor of three or more dimensions to [out, everything else]. Default true. */
  mergeDims?: boolean;
  /**
   * Dimensions above this are not turned. Default 2048: one of 4608, a convolution of 512 channels, alone costs as much a
   * step as the rest of a network with its gradient, and eleven times the refresh and five times the state of one of
   * 2048. The authors' code has 10000.
   */
  maxDim?: number;
}

const schema = schemaOf<SoapOptions>()(
  z.strictObject({
    lr: rate,
    betas: betas.default([0.95, 0.95]),
    eps: positive.default(1e-8),
    weightDecay: nonNegative.default(0),
    basesEvery: count.default(10),
    mergeDims: z.boolean().default(true),
    maxDim: count.default(2048),
  }),
);

/**
 * SOAP (Vyas et al. 2024): Adam in the eigenbases of Shampoo's statistics. L ← β₂L + (1−β₂)GGᵀ, R alike;
 * G′ = QᴸᵀGQᴿ; m ← β₁m + (1−β₁)G, m′ = QᴸᵀmQᴿ; v ← β₂v + (1−β₂)G′²;
 * θ ← θ − η(Qᴸ(m̂′/(√v̂ + ε))Qᴿᵀ + λθ); every 10 steps Q ← QR(LQ), ordered by eigenvalue, v permuted alike.
 * The first step only sets L, R, Q. Vectors and scalars step by Adam.
 * State: 8 bytes a parameter and (m(3m + 1) + n(3n + 1))/2 numbers for an m×n matrix.
 */
export const soap = defineOptimizer('soap', schema, trace, {
  title: 'SOAP',
  equation: 'Adam in the eigenbases Q of Shampoo’s statistics: θ ← θ − η(Qᴸ(m̂′/(√v̂ + ε))Qᴿᵀ + λθ)',
  variants: { soap: { lr: 2e-3 } },

  counts: true,
  largest: (shape) => SQUARES / Math.sqrt(sizeOf(shape) || 1),
});

function trace(t: OptimizerTrace, options: z.output<typeof schema>): void {
  const { graph, status, params } = t;
  const { grads } = t.gradient();
  t.checkFinite(grads);
  const [beta1, beta2] = options.betas;
  const updates = t.state('updates', { dtype: 'i32', shape: [1] });

  const tensors = params.map(({ name, value, index }, i) => {
    const m = t.state(`m/${name}`, value.type);
    const v = t.state(`v/${name}`, value.type);
    const dims = preconditionedDims(value.shape, options.mergeDims);
    const turned = dims.length > 1 && value.size > 0 ? modesOf([1, ...dims]) : [];
    const bases = turned
      .filter(({ dim }) => dim <= options.maxDim)
      .map((mode, k): SoapBasis => {
        const packed = { dtype: 'f32' as const, shape: [1, packedSize(mode.dim)] };
        const whole = { dtype: 'f32' as const, shape: [1, mode.dim, mode.dim] };
        const statistic = t.state(`statistic${k}/${name}`, packed);
        const basis = t.state(`basis${k}/${name}`, whole, identity);
        return { statistic, basis, v, mode, tensor: index };
      });
    return { grad: grads[i], m, v, bases };
  });
  const turn = (x: Value, bases: readonly SoapBasis[]): Value =>
    bases.reduce((y, { basis, mode }) => modeApply(basis, y, mode), x);
  const turnBack = (x: Value, bases: readonly SoapBasis[]): Value =>
    bases.reduce((y, { basis, mode }) => modeApply(basis, y, mode, { transposed: true }), x);

  const turned = tensors.map(({ grad, m, v, bases }) => ({
    grad,
    m,
    v,
    turnedGrad: turn(grad, bases),
    turnedM: turn(m, bases),
  }));
  const directions = soapDirection(status, updates, turned, { beta1, beta2, eps: options.eps });
  // 0 in the first step that is taken, which leaves θ alone, its decay included.
  const begun = t.state('begun', { dtype: 'f32', shape: [] });
  const decayed = (u: Value, value: Value) =>
    options.weightDecay === 0 ? u : add(u, mul(affine(value, options.weightDecay), begun));
  const steps = params.map(({ value }, i) =>
    decayed(turnBack(directions[i], tensors[i].bases), value),
  );
  graph.add(sgdOp, [status, ...params.flatMap(({ value }, i) => [value, steps[i]])], {
    lrSlot: rateSlot(graph, options.lr).index,
    momentum: 0,
    nesterov: 0,
    weightDecay: 0,
    decoupled: 1,
  });
  keep(status, [begun], [fill(graph, [], 1)]);

  for (const { grad, bases } of tensors) {
    for (const { statistic, mode } of bases) {
      modeGram(status, statistic, grad, mode, { decay: beta2, scale: 1 - beta2 });
    }
  }
  const { joined } = graph;
  const renewed = every(options.basesEvery);
  const due = graph.slot('bases', ({ step }) => Number(renewed.due(step - joined)));
  const bases = tensors.flatMap((tensor) => tensor.bases);
  soapBases(status, updates, bases, due);
  countUpdate(status, updates);
}
