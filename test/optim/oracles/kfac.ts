import { type KfacOptions, kfac } from '../../../src/index.ts';
import { DECAY, lr, type Method } from '../../methods/case.ts';
import type { Problem } from '../../methods/problems.ts';
import {
  combine,
  identity,
  inverse,
  jacobi,
  multiply,
  type Rows,
  trace,
  transpose,
  zeros,
} from './matrix.ts';
import type { LayerRows } from './network.ts';
import { matrixOf, writeMatrix } from './network.ts';
import type { Tensors64 } from './oracle.ts';

const ROUNDING = 2 ** -24;

interface State {
  a: Rows;
  g: Rows;
  precondition: (v: Rows) => Rows;
  /** κ of both damped factors together, or of the damped product. */
  condition: number;
  velocity: Rows;
}

/** What one step saw of each layer: for every example the rows of its inputs and gradients. */
export interface Batch {
  /** Labels of the data. */
  readonly data: readonly LayerRows[][];
  /** Labels of the Fisher. */
  readonly fisher: readonly LayerRows[][];
  /** What is preconditioned, where it is not the data's gradient. */
  readonly gradient?: Tensors64;
  /** aᵀFb of the quadratic model, a and b a matrix a layer. With it α and μ take the place of the rate. */
  readonly curvature?: (a: readonly Rows[], b: readonly Rows[]) => number;
}

const product = (a: readonly Rows[], b: readonly Rows[]): number =>
  a.reduce((sum, x, i) => sum + trace(multiply(x, transpose(b[i]))), 0);

/** The δ in the span of the directions with the least slopeᵀδ + ½δᵀCδ, and that value. */
function leastOf(
  directions: readonly (readonly Rows[])[],
  slope: readonly Rows[],
  curvature: (a: readonly Rows[], b: readonly Rows[]) => number,
): { update: Rows[]; change: number } {
  const system = directions.map((a) => directions.map((b) => curvature(a, b)));
  const slopes = directions.map((a) => [-product(slope, a)]);
  const weights = multiply(inverse(system), slopes).flat();
  const update = slope.map((matrix, layer) =>
    directions.reduce(
      (sum, direction, k) => combine(sum, 1, direction[layer], weights[k]),
      combine(matrix, 0, matrix, 0),
    ),
  );
  return { update, change: product(slope, update) + 0.5 * curvature(update, update) };
}

const outer = (x: readonly number[], y: readonly number[]): Rows =>
  x.map((a) => y.map((b) => a * b));

/** Σ over the rows of xyᵀ. */
const gram = (xs: Rows, ys: Rows): Rows =>
  xs.reduce((sum, x, i) => combine(sum, 1, outer(x, ys[i]), 1), zeros(xs[0].length, ys[0].length));

/** E[Σ over positions āāᵀ] and (1/T) E[Σ over positions s′s′ᵀ]. */
export function factors(examples: readonly LayerRows[]): { a: Rows; g: Rows } {
  const positions = examples[0].inputs.length;
  const inputs = examples.flatMap((e) => e.inputs);
  const grads = examples.flatMap((e) => e.grads);
  const a = gram(inputs, inputs);
  const g = gram(grads, grads);
  return {
    a: combine(a, 1 / examples.length, a, 0),
    g: combine(g, 1 / (examples.length * positions), g, 0),
  };
}

/**
 * A factor without what is outside its blocks: the least number of equal runs of channels (or of inputs, or outputs) that
 * have an order of at most `size`; a bias is one more in the last.
 */
function masked(factor: Rows, channels: number, taps: number, size: number): Rows {
  const runs = Math.ceil(channels / Math.max(1, Math.floor(size / taps)));
  const each = Math.ceil(channels / runs);
  const blockOf = (i: number) => Math.floor(Math.min(Math.floor(i / taps), channels - 1) / each);
  return factor.map((row, i) => row.map((x, j) => (blockOf(i) === blockOf(j) ? x : 0)));
}

const FORMS = {
  inverse(a: Rows, g: Rows, damping: number) {
    const [n, m] = [a.length, g.length];
    const [ta, tg] = [trace(a), trace(g)];
    const pi = ta === 0 || tg === 0 ? 1 : Math.sqrt(ta / n / (tg / m));
    const dampedA = combine(a, 1, identity(n), pi * Math.sqrt(damping));
    const dampedG = combine(g, 1, identity(m), Math.sqrt(damping) / pi);
    const [aInverse, gInverse] = [inverse(dampedA), inverse(dampedG)];
    return {
      precondition: (v: Rows) => multiply(multiply(gInverse, v), aInverse),
      condition: conditionOf(dampedA) + conditionOf(dampedG),
    };
  },

  /** The damped product A ⊗ G as one matrix over the gradient's entries, row after row. */
  eigen(a: Rows, g: Rows, damping: number) {
    const product = g.flatMap((grow) =>
      a.map((arow) => grow.flatMap((s) => arow.map((x) => s * x))),
    );
    const solution = inverse(combine(product, 1, identity(product.length), damping));
    const largest = (m: Rows) => Math.max(...jacobi(m).values);
    return {
      precondition: (v: Rows) => {
        const flat = v.flat();
        const u = solution.map((row) => row.reduce((sum, x, k) => sum + x * flat[k], 0));
        return g.map((_, o) => u.slice(o * a.length, (o + 1) * a.length));
      },
      condition: (largest(a) * largest(g)) / damping + 1,
    };
  },
};

/**
 * K-FAC. `tolerance()` bounds what float32 may change in any θ: factors and products are rounded to 2⁻²⁴ of their
 * norm, which moves the damped inverses by their condition numbers as much, relatively, in every step; the
 * network's feedback at most doubles what has gathered (its curvature times Σ lr is below 1).
 */
export function kfacOracle({
  weightDecay: decay = 0,
  decoupled = false,
  damping = 1e-3,
  klClip = 1e-3,
  momentum = 0,
  statisticsEvery = 10,
  inversesEvery = 10,
  form = 'inverse',
  adaptDamping: adapts = false,
  blockSize = 1152,
} = {}) {
  const weightDecay = decoupled ? 0 : decay;
  const states = new Map<string, State>();
  let updates = 0;
  let inverted = 0;
  let error = 0;
  const clips: number[] = [];
  /** M(δ) of each step by the model. */
  const changes: number[] = [];

  function step(params: Tensors64, batch: Batch, lr: number, t: number): void {
    const names = batch.data[0].map(({ name }) => name);
    const of = (examples: readonly LayerRows[][], i: number) => examples.map((rows) => rows[i]);
    const collect = (t - 1) % statisticsEvery === 0;
    if (collect) updates += 1;
    const wait = Math.min(inversesEvery, Math.max(1, Math.floor(t / 5)));
    const invert =
      t === 1 || (t - inverted >= wait && collect) || (adapts && t - inverted >= inversesEvery);
    if (invert) inverted = t;
    const kept = Math.min(1 - 1 / updates, 0.95);

    const steps = names.map((name, i) => {
      const whole = factors(of(batch.fisher, i));
      const [out, channels, ...kernel] = params[`${name}.weight`].shape;
      const taps = kernel.reduce((n, d) => n * d, 1);
      const fresh = {
        a: masked(whole.a, channels, taps, blockSize),
        g: masked(whole.g, out, 1, blockSize),
      };
      let state = states.get(name);
      if (state === undefined) {
        const [m, n] = [fresh.g.length, fresh.a.length];
        state = {
          a: zeros(n),
          g: zeros(m),
          precondition: (v) => v,
          condition: 1,
          velocity: zeros(m, n),
        };
        states.set(name, state);
      }
      if (collect) {
        state.a = combine(state.a, kept, fresh.a, 1 - kept);
        state.g = combine(state.g, kept, fresh.g, 1 - kept);
      }
      if (invert) {
        Object.assign(state, FORMS[form as keyof typeof FORMS](state.a, state.g, damping));
      }
      const mean = () =>
        of(batch.data, i)
          .map(({ inputs, grads }) => gram(grads, inputs))
          .reduce(
            (sum, g) => combine(sum, 1, g, 1 / batch.data.length),
            zeros(fresh.g.length, fresh.a.length),
          );
      const gradient = batch.gradient === undefined ? mean() : matrixOf(batch.gradient, name);
      const v = combine(gradient, 1, matrixOf(params, name), weightDecay);
      return { name, state, v, u: state.precondition(v) };
    });

    const slope = steps.map(({ v }) => v);
    const { curvature } = batch;
    if (curvature !== undefined) {
      const proposal = steps.map(({ u }) => combine(u, -1, u, 0));
      const last = steps.map(({ state }) => state.velocity);
      const least = leastOf(t === 1 ? [proposal] : [proposal, last], slope, (a, b) => {
        return curvature(a, b) + (damping + weightDecay) * product(a, b);
      });
      steps.forEach(({ name, state }, i) => {
        state.velocity = least.update[i];
        writeMatrix(params, name, combine(matrixOf(params, name), 1, state.velocity, 1));
      });
      changes.push(least.change);
      return;
    }
    const dot = product(
      steps.map(({ u }) => u),
      slope,
    );
    const nu = Math.min(1, Math.sqrt(klClip / (lr ** 2 * dot)));
    clips.push(nu);
    for (const { name, state, u } of steps) {
      state.velocity = combine(state.velocity, momentum, u, nu);
      const shrunk = 1 - (decoupled ? lr * decay : 0);
      writeMatrix(params, name, combine(matrixOf(params, name), shrunk, state.velocity, -lr));
      const length = Math.hypot(...u.flat());
      error += (2 * lr * nu * length * state.condition * 8 * ROUNDING) / (1 - momentum);
    }
  }
  const setDamping = (value: number): void => {
    damping = value;
  };
  return { step, states, clips, changes, setDamping, tolerance: () => error };
}

function conditionOf(a: Rows): number {
  const { values } = jacobi(a);
  return Math.max(...values) / Math.min(...values);
}

/** What K-FAC sees of a problem at these parameters. */
export function batchOf(
  problem: Problem,
  params: Tensors64,
  t: number,
  { fisher = 'true', lr }: Partial<KfacOptions>,
): Batch {
  const data = problem.rows?.(params) ?? [];
  const rows = {
    empirical: () => data,
    exact: () => problem.fisherRows?.(params),
    true: () => problem.drawnRows?.(params, t),
  };
  const curvature = lr === 'model' ? problem.curvature?.(params) : undefined;
  return { data, fisher: rows[fisher]() ?? [], curvature };
}

const of = (name: string, options: Partial<KfacOptions>): Method => ({
  name: `kfac ${name}`,
  shows: (problem, params, t) => batchOf(problem, params, t, options).fisher,
  make: () => kfac({ lr, ...options }),
  reference: () => {
    const { step } = kfacOracle(options);
    return (params, problem, lr, t) => step(params, batchOf(problem, params, t, options), lr, t);
  },
});

export const DRAWN: Partial<KfacOptions> = {
  fisher: 'true',
  damping: 0.1,
  statisticsEvery: 2,
  ...DECAY,
};
export const MODEL: Partial<KfacOptions> = {
  lr: 'model',
  fisher: 'empirical',
  damping: 0.1,
  ...DECAY,
};

export const cases: readonly Method[] = [
  of('empirical', { fisher: 'empirical', damping: 0.1, inversesEvery: 3 }),
  of('exact', { fisher: 'exact', damping: 0.1, statisticsEvery: 2, momentum: 0.5 }),
  of('drawn', DRAWN),
  of('model', MODEL),
];
