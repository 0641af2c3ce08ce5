import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Shape } from '../graph/types.ts';
import { sizeOf } from '../graph/types.ts';
import type { Numbers } from '../ops/define.ts';
import { type Mode, modeApply, modeGram } from '../ops/modes.ts';
import { countUpdate, inverseRoots } from '../ops/roots.ts';
import { sgdOp } from '../ops/sgd.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { count, decay, decayOrSum, nonNegative, rate } from './options.ts';

const schema = z.strictObject({
  /** Learning rate η, or a schedule. */
  lr: rate,
  /** Decoupled λ. Default 0. */
  weightDecay: nonNegative.default(0),
  /** Absolute ε: the start of summed statistics, or added to an average before its root. Default 1e-4. */
  epsilon: nonNegative.default(1e-4),
  /** β of averaged statistics; 1 sums them, as the paper does. Default 1. */
  beta: decayOrSum.default(1),
  /** Steps between two updates of the statistics. Default 1. */
  statisticsEvery: count.default(1),
  /** Steps T between two rounds of roots, sooner while t is small: when t − t_last ≥ min(T, max(1, ⌊t/5⌋)). Default 10. */
  rootsEvery: count.default(10),
  /** Flattens a tensor of three or more dimensions to [out, everything else]. Default true. */
  mergeDims: z.boolean().default(true),
  /** Largest dimension that gets a statistic; larger ones are left as they are. Default 1024. */
  maxDim: count.default(1024),
  /** A root's method. Default `eigh`. */
  rootMethod: z.enum(['eigh', 'newton']).default('eigh'),
  /** Relative ridge added before a root: ridge · λmax. Default 1e-6. */
  ridge: nonNegative.default(1e-6),
  /** Momentum of the preconditioned direction. Default 0. */
  momentum: decay.default(0),
  nesterov: z.boolean().default(false),
});

export type ShampooOptions = z.input<typeof schema>;

/**
 * Shampoo (Gupta, Koren, Singer 2018): for a matrix, L ← L + GGᵀ, R ← R + GᵀG, θ ← θ − η L^(−1/4) G R^(−1/4);
 * a tensor of order k has one statistic a dimension with the exponent −1/(2k).
 * A root that fails keeps the last one and counts; three in a row are `FLATMIN_NUMERICS`.
 * State: 2·(m² + n²) numbers for an m×n matrix.
 */
export const shampoo = defineOptimizer('shampoo', schema, (t, options) => {
  const { graph, status } = t;
  const { grads } = t.gradient();
  t.checkFinite(grads);

  const preconditioners = t.params.flatMap(({ name, value }, tensor) => {
    const dims = options.mergeDims ? mergedDims(value.shape) : orderedDims(value.shape);
    return modesOf(dims)
      .filter(({ dim }) => dim <= options.maxDim && value.size > 0)
      .map((mode, i) => {
        const type = { dtype: 'f32' as const, shape: [mode.dim, mode.dim] };
        const start = options.beta === 1 ? options.epsilon : 0;
        return {
          tensor,
          mode,
          p: 2 * dims.length,
          statistic: t.state(`statistic${i}/${name}`, type, diagonal(mode.dim, start)),
          root: t.state(`root${i}/${name}`, type, diagonal(mode.dim, 1)),
        };
      });
  });
  const updates = t.state('updates', { dtype: 'i32', shape: [1] });
  const failures = t.state('failures', { dtype: 'i32', shape: [preconditioners.length] });

  const every = (period: number) => (step: number) => (step - 1) % period === 0;
  graph.inSection({ name: 'statistics', due: every(options.statisticsEvery) }, () => {
    const { beta } = options;
    const weights = { decay: beta, scale: beta === 1 ? 1 : 1 - beta };
    for (const { statistic, tensor, mode } of preconditioners) {
      modeGram(status, statistic, grads[tensor], mode, weights);
    }
    countUpdate(status, updates);
  });
  graph.inSection({ name: 'roots', due: freshRoots(options.rootsEvery) }, () => {
    const requests = preconditioners.map(({ statistic, root, p, tensor }) => ({
      statistic,
      root,
      p,
      tensor: t.params[tensor].index,
    }));
    inverseRoots(status, { failures, updates }, requests, {
      epsilon: options.beta === 1 ? 0 : options.epsilon,
      ridge: options.ridge,
      method: options.rootMethod,
      beta: options.beta,
    });
  });

  const directions = grads.map((grad, tensor) =>
    preconditioners
      .filter((p) => p.tensor === tensor)
      .reduce((g: Value, { root, mode }) => modeApply(root, g, mode), grad),
  );
  const momentum = (name: string, shape: Shape) =>
    options.momentum === 0 ? [] : [t.state(`momentum/${name}`, { dtype: 'f32', shape })];
  graph.add(
    sgdOp,
    [
      status,
      ...t.params.flatMap(({ name, value }, i) => [
        value,
        directions[i],
        ...momentum(name, value.shape),
      ]),
    ],
    {
      lrSlot: rateSlot(graph, options.lr).index,
      momentum: options.momentum,
      nesterov: Number(options.nesterov),
      weightDecay: options.weightDecay,
      decoupled: 1,
    },
  );
});

/** At least one dimension; a scalar is a vector of one. */
const orderedDims = (shape: Shape): number[] => (shape.length === 0 ? [1] : [...shape]);

/** [out, everything else]. */
const mergedDims = (shape: Shape): number[] =>
  shape.length < 3 ? orderedDims(shape) : [shape[0], sizeOf(shape.slice(1))];

const modesOf = (dims: readonly number[]): Mode[] =>
  dims.map((dim, i) => ({
    outer: sizeOf(dims.slice(0, i)),
    dim,
    inner: sizeOf(dims.slice(i + 1)),
  }));

const diagonal = (n: number, value: number) => (data: Numbers) => {
  for (let i = 0; i < n; i++) data[i * n + i] = value;
};

/** When roots are refreshed: at the first step, then when t − t_last ≥ min(T, max(1, ⌊t/5⌋)). */
function freshRoots(period: number): (step: number) => boolean {
  const due: boolean[] = [];
  let last = 0;
  return (step) => {
    for (let t = due.length + 1; t <= step; t++) {
      const fresh = t === 1 || t - last >= Math.min(period, Math.max(1, Math.floor(t / 5)));
      if (fresh) last = t;
      due.push(fresh);
    }
    if (due[step - 1] === undefined) {
      throw new FlatminError('FLATMIN_ARGUMENT', `Steps count from 1, got ${step}`);
    }
    return due[step - 1];
  };
}
