import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { assign, keep } from '../ops/assign.ts';
import { add, div, greaterEqual, maximum, mul, sub } from '../ops/binary.ts';
import { affine } from '../ops/elementwise.ts';
import { fill } from '../ops/fill.ts';
import { lpDirection } from '../ops/lp_direction.ts';
import { sum } from '../ops/reduce.ts';
import { globalNorm, samPerturb } from '../ops/sam.ts';
import { abs } from '../ops/unary.ts';
import { schemaOf } from '../options.ts';
import type { OptimizerTrace } from '../step/context.ts';
import { count, nonNegative, norm } from './options.ts';
import { type SgdOptions, sgd } from './sgd.ts';
import { variantsOf } from './variants.ts';
import { defineWrapper } from './wrapper.ts';

/**
 * Options of sharpness-aware minimisation: radius and norm of the neighbourhood, and which steps climb. An unknown option
 * or a value out of range is `FLATMIN_ARGUMENT`.
 */
export interface SamOptions {
  /** Radius ρ of the neighbourhood. Default 0.05, with `adaptive` 0.5. */
  rho?: number;
  /** Norm of the neighbourhood, from 1 to Infinity. Default 2. */
  p?: number;
  /**
   * ASAM (Kwon et al. 2021): measures each weight by T = |θ| + 0.01; T = 1 for tensors of fewer than two dimensions.
   * Default false.
   */
  adaptive?: boolean;
  /** Steps from one that climbs to the next, the first step being one. Default 1: every step. */
  every?: number;
  /** Steps between: plain ones of the base, or LookSAM's, which reuse what the last climb found. Default `base`. */
  between?: 'base' | 'look';
}

const schema = schemaOf<SamOptions>()(
  z
    .strictObject({
      rho: nonNegative.optional(),
      p: norm.default(2),
      adaptive: z.boolean().default(false),
      every: count.default(1),
      between: z.enum(['base', 'look']).default('base'),
    })
    .transform(({ rho, ...options }) => ({
      rho: rho ?? (options.adaptive ? 0.5 : 0.05),
      ...options,
    })),
);

const wrapper = defineWrapper('sam', schema, (t, base, options) => {
  if (t.graph.precision !== 'float32') {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `sam expects precision 'float32', got '${t.graph.precision}', whose rounding would swallow ε̂ and the difference of its losses. Help: leave precision out, or step with the base alone.`,
    );
  }
  const first = t.gradient();
  t.checkFinite(first.grads);
  const grads = options.every === 1 ? climb(t, first, options) : sparse(t, first, options);
  // The first pass's taps: parameters are back at θ when K-FAC reads them.
  base.trace({ ...t, gradient: () => ({ ...first, grads }) });
});

/**
 * Sharpness-aware minimisation (Foret et al. 2020) over any base: the base steps with the gradient at θ + ε̂, from θ
 * restored bit for bit. ε̂ = ρ g/‖g‖₂, the norm over all tensors; in general ρ sign(g)⊙|g|^(q−1) / ‖g‖_q^(q−1) with
 * 1/p + 1/q = 1; adaptive ρT²g/‖Tg‖₂, in general T times the direction of Tg. g = 0 gives ε̂ = 0.
 * Both gradients are of the same batch with the same dropout masks. A step that climbs costs two gradients, and
 * reports the sharpness L(θ + ε̂) − L(θ).
 *
 * LookSAM (Liu et al. 2022), `every: k, between: 'look'`: a climb keeps g_v = g̃ − (g̃·g/‖g‖²)g, the steps between use
 * g + 0.7 (‖g‖/‖g_v‖) g_v. State: 4 bytes a parameter.
 *
 * `sam(base, { rho })` is an optimizer for `fit`; `sam(params, base, { rho })` is bound to the caller's arrays
 * and steps with a closure.
 */
export const sam = Object.assign(wrapper, {
  title: 'SAM',
  equation: 'ε̂ = ρ g/‖g‖₂; the base steps with the gradient at θ + ε̂, from θ',
  variants: variantsOf(
    {
      sam: { lr: 0.1 },
      asam: { lr: 0.1, adaptive: true },
      looksam: { lr: 0.1, rho: 0.1, every: 5, between: 'look' },
    },
    [wrapper, sgd],
    (own, base) => wrapper(sgd(base as object as SgdOptions), own),
  ),
});

type Options = z.output<typeof schema>;
type First = ReturnType<OptimizerTrace['gradient']>;

/** The gradients at θ + ε̂. */
function climb(t: OptimizerTrace, first: First, { rho, p, adaptive }: Options): readonly Value[] {
  const params = t.params.map(({ value }) => value);
  const scales = params.map((v) =>
    adaptive && v.shape.length > 1 ? affine(abs(v), 1, 0.01) : undefined,
  );
  const scaled = (xs: readonly Value[]) =>
    xs.map((x, i) => (scales[i] === undefined ? x : mul(x, scales[i])));
  const g = scaled(first.grads);
  const [directions, length] =
    p === 2 ? [g, globalNorm(g)] : [lpDirection(g, p), fill(t.graph, [], 1)];
  const saved = samPerturb(params, scaled(directions), length, rho);
  const second = t.gradient();
  assign(params, saved);
  if (first.loss !== undefined && second.loss !== undefined) {
    t.report('sharpness', sub(second.loss, first.loss));
  }
  return second.grads;
}

/** Climbs every few steps; what the base steps with is made for all steps and replaced in those. */
function sparse(t: OptimizerTrace, first: First, options: Options): readonly Value[] {
  const { graph, status } = t;
  const look = options.between === 'look';
  const lasting = look
    ? t.params.map(({ name, value }) => t.state(`look/${name}`, value.type))
    : [];
  const reach = look ? affine(globalNorm(first.grads), 0.7) : undefined;
  const grads = first.grads.map((g, i) =>
    reach === undefined ? affine(g, 1) : add(g, mul(lasting[i], reach)),
  );
  const due = (step: number) => (step - 1) % options.every === 0;
  graph.inSection({ name: 'climb', due }, () => {
    const along = look ? unit(first.grads) : [];
    const second = climb(t, first, options);
    // Here, since the second loss is there in these steps alone.
    t.checkFinite(second);
    if (look) {
      keep(status, lasting, across(second, along));
    }
    assign(grads, second);
  });
  return grads;
}

/** Below it a norm counts as 0: 1 over it is still a float32. */
const tiny = (graph: Graph) => fill(graph, [], 1e-37);

/** g/‖g‖, 0 for g = 0. */
function unit(grads: readonly Value[]): Value[] {
  const length = globalNorm(grads);
  const floor = maximum(length, tiny(length.graph));
  return grads.map((g) => div(g, floor));
}

/** g_v/‖g_v‖ for the part g_v of g that is orthogonal to the unit vector u; 0 where it is lost in rounding. */
function across(g: readonly Value[], u: readonly Value[]): Value[] {
  const dot = g.map((x, i) => sum(mul(x, u[i]))).reduce(add);
  const rest = g.map((x, i) => sub(x, mul(u[i], dot)));
  const length = globalNorm(rest);
  const counts = greaterEqual(length, affine(globalNorm(g), 1e-6));
  const scale = div(counts, maximum(length, tiny(length.graph)));
  return rest.map((x) => mul(x, scale));
}
