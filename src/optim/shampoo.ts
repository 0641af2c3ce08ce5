import { z } from 'zod';
import type { Value } from '../graph/graph.ts';
import { sizeOf } from '../graph/types.ts';
import { packedSize } from '../linalg/packed.ts';
import { identity } from '../nn/init.ts';
import { mul } from '../ops/binary.ts';
import { joinBlocks, splitBlocks } from '../ops/blocks.ts';
import { embedding } from '../ops/embedding.ts';
import { scatterAdd } from '../ops/gather.ts';
import { graft } from '../ops/graft.ts';
import { type Mode, modeApply, modeGram } from '../ops/modes.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { countUpdate, inverseRoots } from '../ops/roots.ts';
import { sgdOp } from '../ops/sgd.ts';
import { SQUARES } from '../ops/status.ts';
import { gradientRows, sgdRows, type TableRows } from '../ops/table_rows.ts';
import { sqrt } from '../ops/unary.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace, Parameter } from '../step/context.ts';
import type { Rate } from '../step/rate.ts';
import { graftedMethod } from './graft.ts';
import { defineOptimizer, rateSlot } from './optimizer.ts';
import { count, decay, decayOrSum, nonNegative, positive, rate } from './options.ts';
import { modesOf, preconditionedDims } from './preconditioner.ts';
import { refreshes } from './refreshes.ts';

/**
 * Options of Shampoo: its rate, statistics and roots, the method whose step lengths it takes over, blocks, momentum and
 * decay. An unknown option or a value out of range is `FLATMIN_ARGUMENT`.
 */
export interface ShampooOptions {
  /** Learning rate η, or a schedule. */
  lr: Rate;
  /** Decoupled λ. Default 0. */
  weightDecay?: number;
  /** Absolute ε: the start of summed statistics, or added to an average before its root. Default 1e-4. */
  epsilon?: number;
  /** β of averaged statistics; 1 sums them, as the paper does. Default 1. */
  beta?: number;
  /** Steps T between two updates of the statistics, sooner while t is small: when t − t_last ≥ min(T, max(1, ⌊t/5⌋)). Default 1. */
  statisticsEvery?: number;
  /**
   * Steps T between two rounds of roots, sooner while t is small: when t − t_last ≥ min(T, max(1, ⌊t/5⌋)) and the
   * statistics change. Default 10.
   */
  rootsEvery?: number;
  /** The first step that is preconditioned; before it the grafted method steps alone. Default 1. */
  startStep?: number;
  /**
   * Gives each tensor's step the ℓ2 norm of another method's at its defaults: SGD's g, Adagrad's g/(√v + 1e-10),
   * RMSProp's with γ = 0.99, Adam's with β = (0.9, 0.999); 4 bytes a parameter more, 8 for Adam (Anil et al. 2020).
   * Default `none`.
   */
  graft?: 'none' | 'sgd' | 'adagrad' | 'rmsprop' | 'adam';
  /** Flattens a tensor of three or more dimensions to [out, everything else]. Default true. */
  mergeDims?: boolean;
  /** Tensors are cut into blocks of at most this along every dimension, each preconditioned alone. Default 1024. */
  blockSize?: number;
  /**
   * Of matrices with more rows than this and no more columns than `blockSize` L is its diagonal alone, the sums of squares of
   * the rows, and R is that of the whole matrix, as the paper proposes for large dimensions: for the tables of embeddings,
   * whose rows outside a batch then take no part in its step, unless with momentum. Default: of none.
   */
  diagonalAbove?: number;
  /** Vectors: a full statistic ggᵀ, or its diagonal g². Default `full`. */
  vectors?: 'full' | 'diagonal';
  /** p of every root A^(−1/p), any number above 0, instead of 2 × the tensor's order, the default. */
  exponentOverride?: number;
  /**
   * A root's method. `eigh`: an eigendecomposition from nothing. `warm`: from the last root's eigenvectors, turned by
   * Jacobi rotations; where that gives no good root `eigh` takes over; one matrix of state more a statistic. `newton`:
   * coupled Newton, which leaves p that are not whole to `eigh`. Default `eigh`.
   */
  rootMethod?: 'eigh' | 'warm' | 'newton';
  /** Relative ridge added before a root: ridge · λmax. Default 1e-6. */
  ridge?: number;
  /** μ of the preconditioned, grafted direction u: v ← μv + u, θ ← θ − ηv. Default 0, which keeps no state. */
  momentum?: number;
  /** Nesterov's form: θ ← θ − η(u + μv). Default false. */
  nesterov?: boolean;
}

const schema = schemaOf<ShampooOptions>()(
  z.strictObject({
    lr: rate,
    weightDecay: nonNegative.default(0),
    epsilon: nonNegative.default(1e-4),
    beta: decayOrSum.default(1),
    statisticsEvery: count.default(1),
    rootsEvery: count.default(10),
    startStep: count.default(1),
    graft: z.enum(['none', 'sgd', 'adagrad', 'rmsprop', 'adam']).default('none'),
    mergeDims: z.boolean().default(true),
    blockSize: count.default(1024),
    diagonalAbove: count.optional(),
    vectors: z.enum(['full', 'diagonal']).default('full'),
    exponentOverride: positive.optional(),
    rootMethod: z.enum(['eigh', 'warm', 'newton']).default('eigh'),
    ridge: nonNegative.default(1e-6),
    momentum: decay.default(0),
    nesterov: z.boolean().default(false),
  }),
);

type Options = z.output<typeof schema>;

/**
 * Shampoo (Gupta, Koren, Singer 2018): for a matrix, L ← L + GGᵀ, R ← R + GᵀG, θ ← θ − η L^(−1/4) G R^(−1/4);
 * a tensor of order k has one statistic a dimension with the exponent −1/(2k).
 * A root that fails keeps the last one and counts; three in a row are `FLATMIN_NUMERICS`. Until the first, nothing is
 * preconditioned. State: (m(3m + 1) + n(3n + 1))/2 numbers for an m×n matrix, or for each of its blocks;
 * with `rootMethod: 'warm'` m² + n² more. With the diagonal of L 2m numbers are in place of m(3m + 1)/2.
 */
export const shampoo = defineOptimizer('shampoo', schema, trace, {
  title: 'Shampoo',
  equation: 'L ← L + GGᵀ; R ← R + GᵀG; θ ← θ − η L^(−1/4) G R^(−1/4)',
  variants: { shampoo: { lr: 0.1 } },

  counts: true,
  // Statistics that are summed have room for a million of the largest.
  largest: (shape, { beta }) =>
    (SQUARES * (beta === 1 ? 2 ** -10 : 1)) / Math.sqrt(sizeOf(shape) || 1),
});

function trace(t: OptimizerTrace, options: Options): void {
  const { graph, params } = t;
  const pass = t.gradient();
  const byRows = options.momentum === 0 && ['none', 'sgd'].includes(options.graft);
  const tables = params.map(({ value }, i) =>
    byRows && isTall(value, options) ? gradientRows(value, pass.grads[i]) : undefined,
  );
  const grads = pass.grads.map((grad, i) => tables[i]?.sums ?? grad);
  t.checkFinite(grads);
  const tensors = params.map((parameter, i) =>
    isTall(parameter.value, options)
      ? tall(t, parameter, { grad: grads[i], rows: tables[i] }, options)
      : preconditioned(t, parameter, grads[i], options),
  );
  traceStatistics(t, tensors, options);

  const { startStep, weightDecay, momentum, nesterov } = options;
  const lrSlot = rateSlot(graph, options.lr).index;
  const velocities = params.map(({ name, value }) =>
    momentum === 0 ? [] : [t.state(`momentum/${name}`, value.type)],
  );
  const descend = (directions: readonly Value[]): void => {
    const common = { lrSlot, weightDecay, decoupled: 1 };
    const whole = params.flatMap(({ value }, i) =>
      tables[i] === undefined ? [value, directions[i], ...velocities[i]] : [],
    );
    graph.add(sgdOp, [t.status, ...whole], { ...common, momentum, nesterov: Number(nesterov) });
    tables.forEach((rows, i) => {
      if (rows === undefined) return;
      sgdRows(t.status, params[i].value, { ...rows, sums: directions[i] }, common);
    });
  };
  const adaptive =
    options.graft === 'none' || options.graft === 'sgd'
      ? undefined
      : graftedMethod(t, options.graft, grads);
  const steps = () => adaptive?.steps() ?? grads;

  const alone = () => {
    // The method's own update, equal to it to the bit.
    if (adaptive !== undefined && momentum === 0) adaptive.update(lrSlot, weightDecay);
    else descend(steps());
  };
  const withRoots = () => {
    const directions = tensors.map(({ direction }) => direction());
    descend(options.graft === 'none' ? directions : graft(directions, steps()));
  };
  if (startStep === 1) {
    withRoots();
    return;
  }
  graph.inSection({ name: 'grafted', due: (step) => step < startStep }, alone);
  graph.inSection({ name: 'preconditioned', due: (step) => step >= startStep }, withRoots);
}

/** Statistics of one kind, and their roots. */
interface Statistic {
  readonly mode: Mode;
  /** What they are of, traced where they are due. */
  readonly of: () => Value;
  readonly statistics: Value;
  readonly roots: Value;
  readonly bases: Value | undefined;
}

interface Preconditioned {
  readonly index: number;
  /** Of the tensor seen as matrices: p is twice that. */
  readonly order: number;
  readonly statistics: readonly Statistic[];
  /** The gradient with each dimension multiplied by its root. */
  direction(): Value;
}

/** Makes the statistics of a tensor, numbered in their order. */
function statisticsOf(t: OptimizerTrace, { name }: Parameter, options: Options) {
  const start = options.beta === 1 ? options.epsilon : 0;
  let made = 0;
  return (mode: Mode, of: () => Value): Statistic => {
    const { count, dim } = mode;
    const key = `${made++}/${name}`;
    const packed = { dtype: 'f32' as const, shape: [count, packedSize(dim)] };
    const whole = { dtype: 'f32' as const, shape: [count, dim, dim] };
    return {
      mode,
      of,
      statistics: t.state(`statistic${key}`, packed, {
        kind: 'diagonal',
        value: start,
        packed: true,
      }),
      roots: t.state(`root${key}`, whole, identity),
      bases: options.rootMethod === 'warm' ? t.state(`basis${key}`, whole) : undefined,
    };
  };
}

/** Cut into blocks. */
function preconditioned(
  t: OptimizerTrace,
  parameter: Parameter,
  grad: Value,
  options: Options,
): Preconditioned {
  const { value, index } = parameter;
  const dims = preconditionedDims(value.shape, options.mergeDims);
  const size = dims.length === 1 && options.vectors === 'diagonal' ? 1 : options.blockSize;
  const make = statisticsOf(t, parameter, options);
  const groups =
    value.size === 0
      ? []
      : splitBlocks(grad, dims, size).map((blocks) => ({
          blocks,
          modes: modesOf(blocks.shape).map((mode) => make(mode, () => blocks)),
        }));
  const direction = () => {
    if (groups.length === 0) return grad;
    const blocks = groups.map(({ blocks, modes }) =>
      modes.reduce((g, { roots, mode }) => modeApply(roots, g, mode), blocks),
    );
    return reshape(joinBlocks(blocks, dims, size), grad.shape);
  };
  return { index, order: dims.length, statistics: groups.flatMap(({ modes }) => modes), direction };
}

/** Whether a matrix has the diagonal of L alone. */
const isTall = (
  { shape, size }: Value,
  { diagonalAbove = Infinity, blockSize }: Options,
): boolean => shape.length === 2 && shape[0] > diagonalAbove && shape[1] <= blockSize && size > 0;

/** A matrix with the diagonal of L alone, by its gradient or by the rows of it that are not 0. */
function tall(
  t: OptimizerTrace,
  parameter: Parameter,
  { grad, rows }: { grad: Value; rows: TableRows | undefined },
  options: Options,
): Preconditioned {
  const { value, index } = parameter;
  const [count, width] = value.shape;
  const make = statisticsOf(t, parameter, options);
  // The square of a row's length, which those of a batch have alone.
  const ofRows = make({ count, outer: 1, dim: 1, inner: rows === undefined ? width : 1 }, () =>
    rows === undefined
      ? grad
      : scatterAdd(sqrt(sum(mul(rows.sums, rows.sums), [1], { keepDims: true })), rows.at, [
          count,
          1,
        ]),
  );
  const ofColumns = make({ count: 1, outer: grad.shape[0], dim: width, inner: 1 }, () => grad);
  const direction = () => {
    const scales = reshape(ofRows.roots, [-1, 1]);
    const own = rows === undefined ? scales : embedding(scales, rows.at);
    return mul(modeApply(ofColumns.roots, grad, ofColumns.mode), own);
  };
  return { index, order: 2, statistics: [ofRows, ofColumns], direction };
}

/** The sections that keep statistics and roots. */
function traceStatistics(
  t: OptimizerTrace,
  tensors: readonly Preconditioned[],
  options: Options,
): void {
  const { graph, status } = t;
  const { beta, startStep } = options;
  const updates = t.state('updates', { dtype: 'i32', shape: [1] });
  const fresh = refreshes(options.statisticsEvery);
  graph.inSection({ name: 'statistics', due: fresh.due }, () => {
    const weights = { decay: beta, scale: beta === 1 ? 1 : 1 - beta };
    for (const { mode, of, statistics } of tensors.flatMap((tensor) => tensor.statistics)) {
      modeGram(status, statistics, of(), mode, weights);
    }
    countUpdate(status, updates);
  });
  const requests = tensors.flatMap(({ index, order, statistics: own }) =>
    own.map(({ statistics, roots, bases }) => ({
      statistics,
      roots,
      bases,
      p: options.exponentOverride ?? 2 * order,
      tensor: index,
    })),
  );
  const matrices = requests.reduce((sum, { roots }) => sum + roots.shape[0], 0);
  const failures = t.state('failures', { dtype: 'i32', shape: [matrices] });
  const { due } = refreshes(options.rootsEvery, { first: startStep, of: fresh });
  graph.inSection({ name: 'roots', due }, () => {
    inverseRoots(status, { failures, updates }, requests, {
      epsilon: beta === 1 ? 0 : options.epsilon,
      ridge: options.ridge,
      method: options.rootMethod,
      beta,
    });
  });
}
