/** Every method with the float64 oracle that it is compared with. */
import {
  adagrad,
  adam,
  adamw,
  clip,
  cosine,
  enim,
  groups,
  type KfacOptions,
  kfac,
  type LionKOptions,
  lion,
  lionK,
  muon,
  muonWithAdamW,
  normDescent,
  type Optimizer,
  rmsprop,
  type SamOptions,
  type ShampooOptions,
  sam,
  sgd,
  shampoo,
  soap,
} from '../../src/index.ts';
import { adagradOracle } from '../optim/oracles/adagrad.ts';
import { adamOracle } from '../optim/oracles/adam.ts';
import { adamwOracle } from '../optim/oracles/adamw.ts';
import { bf16 } from '../optim/oracles/bf16.ts';
import { enimOracle } from '../optim/oracles/enim.ts';
import { type Batch, kfacOracle } from '../optim/oracles/kfac.ts';
import { lionOracle } from '../optim/oracles/lion.ts';
import { type Direction, directionOracle, GRADIENTS, ofMatrix } from '../optim/oracles/lion-k.ts';
import { muonOracle } from '../optim/oracles/muon.ts';
import type { LayerRows } from '../optim/oracles/network.ts';
import { normDescentOracle } from '../optim/oracles/norm-descent.ts';
import type { Oracle, Tensors64 } from '../optim/oracles/oracle.ts';
import { exactFactor } from '../optim/oracles/polar.ts';
import { type SamSetting, samStep } from '../optim/oracles/sam.ts';
import { sgdOracle } from '../optim/oracles/sgd.ts';
import { shampooOracle } from '../optim/oracles/shampoo.ts';
import { soapOracle } from '../optim/oracles/soap.ts';
import type { Problem } from './problems.ts';

/** Takes step t (from 1) of a method in doubles, in place. */
export type Reference = (params: Tensors64, problem: Problem, lr: number, t: number) => void;

export interface Method {
  readonly name: string;
  readonly make: () => Optimizer;
  readonly reference: () => Reference;
  /** Takes gradients, or a closure for several. Default `gradients`. */
  readonly asks?: 'gradients' | 'closure';
  /** What its layers show on arrays before step t, where they show something. */
  readonly shows?: (problem: Problem, params: Tensors64, t: number) => readonly LayerRows[][];
  /** Of the relative error. Default 1e-5. */
  readonly tolerance?: number;
}

export const STEPS = 6;
/** A cosine over twice the steps taken, so that no step has the rate 0. */
export const rate = () => cosine(0.02, { steps: 2 * STEPS, min: 0.002 });

const lr = rate();
const plain = (name: string, make: () => Optimizer, oracle: () => Oracle): Method => ({
  name,
  make,
  reference: () => {
    const step = oracle();
    return (params, problem, lr, t) => step(params, problem.gradient(params), lr, t);
  },
});

const DECAY = { weightDecay: 0.1 };

const lionKOf = (
  K: NonNullable<LionKOptions['K']>,
  direction: Direction,
  betas: [number, number] = [0.9, 0.99],
) =>
  plain(
    `lionK ${Object.values(K).join(' ')}`,
    () => lionK({ lr, K, betas, ...DECAY }),
    () => directionOracle(direction, { betas, ...DECAY }),
  );

const sharp = (
  name: string,
  base: Method,
  oracle: (problem: Problem) => Oracle,
  options: SamOptions = {},
  setting: SamSetting = { rho: 0.05 },
): Method => ({
  name,
  asks: 'closure',
  shows: base.shows,
  make: () => sam(base.make(), options),
  reference: () => {
    const steps = new Map<Problem, ReturnType<typeof samStep>>();
    return (params, problem, lr, t) => {
      const step = steps.get(problem) ?? samStep(oracle(problem), setting, problem.gradient);
      steps.set(problem, step);
      step(params, lr, t);
    };
  },
});

/** What K-FAC sees of a problem at these parameters. */
function batchOf(
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

const curved = (name: string, options: Partial<KfacOptions>): Method => ({
  name,
  shows: (problem, params, t) => batchOf(problem, params, t, options).fisher,
  make: () => kfac({ lr, ...options }),
  reference: () => {
    const { step } = kfacOracle(options);
    return (params, problem, lr, t) => step(params, batchOf(problem, params, t, options), lr, t);
  },
});

/** K-FAC of a problem as SAM's base: factors of what its layers show at θ, the gradient given. */
const curvedBase =
  (options: Partial<KfacOptions>) =>
  (problem: Problem): Oracle => {
    const { step } = kfacOracle(options);
    return (params, grads, lr, t) => {
      const gradient = Object.fromEntries(
        Object.entries(grads).map(([name, data]) => [name, { data, shape: params[name].shape }]),
      );
      step(params, { ...batchOf(problem, params, t, options), gradient }, lr, t);
    };
  };

/** Each oracle on its own tensors, all others on the rest. */
const split =
  (own: RegExp, first: Oracle, rest: Oracle): Oracle =>
  (params, grads, lr, t) => {
    const of = (mine: boolean) =>
      Object.fromEntries(Object.entries(params).filter(([name]) => own.test(name) === mine));
    first(of(true), grads, lr, t);
    rest(of(false), grads, lr, t);
  };

const clipped =
  (oracle: Oracle, norm: number): Oracle =>
  (params, grads, lr, t) => {
    const length = Math.hypot(...Object.values(grads).flatMap((g) => [...g]));
    const scale = Math.min(1, norm / length);
    const short = Object.entries(grads).map(([name, g]) => [name, g.map((v) => scale * v)]);
    oracle(params, Object.fromEntries(short), lr, t);
  };

const SGD = plain(
  'sgd',
  () => sgd({ lr, ...DECAY }),
  () => sgdOracle(DECAY),
);
const ADAMW = plain(
  'adamw',
  () => adamw({ lr, eps: 1e-4 }),
  () => adamwOracle({ eps: 1e-4 }),
);
const LION = plain(
  'lion',
  () => lion({ lr, ...DECAY }),
  () => lionOracle(DECAY),
);
const MUON = plain(
  'muon exact',
  () => muon({ lr, method: 'exact', ...DECAY }),
  () => muonOracle({ method: 'exact', ...DECAY }),
);
const DRAWN: Partial<KfacOptions> = { fisher: 'true', damping: 0.1, statisticsEvery: 2, ...DECAY };
const MODEL: Partial<KfacOptions> = { lr: 'model', fisher: 'empirical', damping: 0.1, ...DECAY };
const roots = { epsilon: 0.1, rootsEvery: 3 };
const SHAMPOO = plain(
  'shampoo',
  () => shampoo({ lr, ...roots }),
  () => shampooOracle(roots).step,
);
const shampooWith = (name: string, { rootMethod, ...options }: Omit<ShampooOptions, 'lr'>) =>
  plain(
    `shampoo ${name}`,
    () => shampoo({ lr, rootMethod, ...roots, ...options }),
    () => shampooOracle({ ...roots, ...options }).step,
  );
/** ε above the rounding of the directions in which a gradient is nearly 0. */
const eps = 1e-4;

export const METHODS: readonly Method[] = [
  SGD,
  plain(
    'sgd momentum',
    () => sgd({ lr, momentum: 0.9, ...DECAY }),
    () => sgdOracle({ momentum: 0.9, ...DECAY }),
  ),
  plain(
    'sgd nesterov',
    () => sgd({ lr, momentum: 0.9, nesterov: true, ...DECAY }),
    () => sgdOracle({ momentum: 0.9, nesterov: true, ...DECAY }),
  ),
  plain(
    'adagrad',
    () => adagrad({ lr, eps, ...DECAY }),
    () => adagradOracle({ eps, ...DECAY }),
  ),
  plain(
    'rmsprop',
    () => rmsprop({ lr, eps, ...DECAY }),
    () => adagradOracle({ gamma: 0.99, eps, ...DECAY }),
  ),
  plain(
    'adam',
    () => adam({ lr, eps, ...DECAY }),
    () => adamOracle({ eps, ...DECAY }),
  ),
  plain(
    'adam amsgrad',
    () => adam({ lr, eps, amsgrad: true }),
    () => adamOracle({ eps, amsgrad: true }),
  ),
  ADAMW,
  LION,
  plain(
    'lion bf16',
    () => lion({ lr, momentumDtype: 'bf16', ...DECAY }),
    () => lionOracle({ ...DECAY, kept: bf16 }),
  ),
  lionKOf({ kind: 'l1' }, GRADIENTS.l1()),
  lionKOf({ kind: 'lp', p: 1.5 }, GRADIENTS.lp(1.5)),
  lionKOf({ kind: 'lp', p: 3 }, GRADIENTS.lp(3)),
  lionKOf({ kind: 'deadZone', e: 0.02 }, GRADIENTS.deadZone(0.02)),
  lionKOf({ kind: 'huber', e: 0.1 }, GRADIENTS.huber(0.1)),
  lionKOf({ kind: 'smooth', e: 0.1 }, GRADIENTS.smooth(0.1)),
  lionKOf({ kind: 'largest', k: 3 }, GRADIENTS.largest(3)),
  lionKOf({ kind: 'squared' }, GRADIENTS.squared()),
  lionKOf({ kind: 'nuclear' }, ofMatrix(exactFactor)),
  plain(
    'enim tensor',
    () => enim({ lr, ...DECAY }),
    () => enimOracle(DECAY),
  ),
  plain(
    'enim global',
    () => enim({ lr, scope: 'global', ...DECAY }),
    () => enimOracle({ scope: 'global', ...DECAY }),
  ),
  ...(['l2', 'linf', 'l1', 'frobenius', 'spectral', 'nuclear'] as const).map((norm) =>
    plain(
      `normDescent ${norm}`,
      () => normDescent({ lr, norm, momentum: 0.5, ...DECAY }),
      () => normDescentOracle({ norm, momentum: 0.5, ...DECAY }),
    ),
  ),
  ...(['newton-schulz', 'polar-express'] as const).map((method) => ({
    ...plain(
      `muon ${method}`,
      () => muon({ lr, method, ...DECAY }),
      () => muonOracle({ method, ...DECAY }),
    ),
    // The first factors of Polar Express multiply to 1000, and rounding with them.
    tolerance: method === 'polar-express' ? 1e-4 : undefined,
  })),
  MUON,
  plain(
    'muonWithAdamW',
    () => muonWithAdamW({ muon: { lr }, adamw: { lr, eps } }),
    () => split(/matrix|kernel|conv.weight|hidden.weight/, muonOracle(), adamwOracle({ eps })),
  ),
  SHAMPOO,
  shampooWith('newton', { rootMethod: 'newton' }),
  shampooWith('warm', { rootMethod: 'warm' }),
  shampooWith('averaged', { beta: 0.9, momentum: 0.5, nesterov: true }),
  shampooWith('blocks', { blockSize: 3, mergeDims: false, vectors: 'diagonal' }),
  ...(['sgd', 'adagrad', 'rmsprop', 'adam'] as const).map((graft) =>
    shampooWith(`grafted ${graft}`, { graft, startStep: 4 }),
  ),
  plain(
    'soap',
    // Along an eigenvector of 0 a step is rounding divided by ε.
    () => soap({ lr, eps: 0.1, basesEvery: 3, maxDim: 5, ...DECAY }),
    () => soapOracle({ eps: 0.1, basesEvery: 3, maxDim: 5, ...DECAY }),
  ),
  curved('kfac empirical', { fisher: 'empirical', damping: 0.1, inversesEvery: 3 }),
  curved('kfac exact', { fisher: 'exact', damping: 0.1, statisticsEvery: 2, momentum: 0.5 }),
  curved('kfac drawn', DRAWN),
  curved('kfac model', MODEL),
  sharp('sam sgd', SGD, () => sgdOracle(DECAY), { rho: 0.05 }),
  sharp('sam adamw', ADAMW, () => adamwOracle({ eps: 1e-4 })),
  sharp('sam lion', LION, () => lionOracle(DECAY)),
  sharp('sam shampoo', SHAMPOO, () => shampooOracle(roots).step),
  sharp('sam muon', MUON, () => muonOracle({ method: 'exact', ...DECAY })),
  sharp('sam kfac', curved('', DRAWN), curvedBase(DRAWN)),
  sharp('sam kfac model', curved('', MODEL), curvedBase(MODEL)),
  sharp('sam p = 1', SGD, () => sgdOracle(DECAY), { p: 1 }, { rho: 0.05, p: 1 }),
  sharp('sam p = ∞', SGD, () => sgdOracle(DECAY), { p: Infinity }, { rho: 0.05, p: Infinity }),
  sharp('asam', SGD, () => sgdOracle(DECAY), { adaptive: true }, { rho: 0.5, adaptive: true }),
  sharp(
    'looksam',
    SGD,
    () => sgdOracle(DECAY),
    { every: 3, between: 'look' },
    { rho: 0.05, every: 3, between: 'look' },
  ),
  plain(
    'clip adam',
    () => clip(adam({ lr, eps }), { norm: 0.5 }),
    () => clipped(adamOracle({ eps }), 0.5),
  ),
  plain(
    'groups',
    () => groups([{ match: /bias|vector/, optimizer: sgd({ lr }) }, { optimizer: lion({ lr }) }]),
    () => split(/bias|vector/, sgdOracle(), lionOracle()),
  ),
];
