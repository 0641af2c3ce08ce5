import type { KfacOptions } from '../../../src/index.ts';
import { type SamOptions, sam } from '../../../src/index.ts';
import { DECAY, eps, type Method } from '../../methods/case.ts';
import type { Problem } from '../../methods/problems.ts';
import { cases as adamwCases, adamwOracle } from './adamw.ts';
import { batchOf, DRAWN, cases as kfacCases, kfacOracle, MODEL } from './kfac.ts';
import { cases as lionCases, lionOracle } from './lion.ts';
import { cases as muonCases, muonOracle } from './muon.ts';
import type { Grads64, Oracle, Tensors64 } from './oracle.ts';
import { cases as sgdCases, sgdOracle } from './sgd.ts';
import { cases as shampooCases, shampooOracle } from './shampoo.ts';

export interface SamSetting {
  readonly rho: number;
  readonly p?: number;
  readonly adaptive?: boolean;
  readonly every?: number;
  readonly between?: 'base' | 'look';
}

const flat = (g: Grads64): number[] => Object.values(g).flatMap((x) => [...x]);
const dot = (a: Grads64, b: Grads64): number => {
  const y = flat(b);
  return flat(a).reduce((sum, x, i) => sum + x * y[i], 0);
};
const combine = (a: Grads64, scale: number, b: Grads64): Grads64 =>
  Object.fromEntries(
    Object.entries(a).map(([name, x]) => [name, x.map((v, i) => v + scale * b[name][i])]),
  );

/** T⊙d with ‖d‖_p = 1 and ⟨d, Tg⟩ = ‖Tg‖_q; 0 for g = 0. */
function ascent(g: Grads64, params: Tensors64, { p = 2, adaptive = false }: SamSetting): Grads64 {
  const t = (name: string, i: number) =>
    adaptive && params[name].shape.length >= 2 ? Math.abs(params[name].data[i]) + 0.01 : 1;
  const scaled = Object.fromEntries(
    Object.entries(g).map(([name, x]) => [name, x.map((v, i) => t(name, i) * v)]),
  );
  const sizes = flat(scaled).map(Math.abs);
  const top = Math.max(...sizes);
  const q = p / (p - 1);
  const power = (v: number) => {
    if (top === 0) return 0;
    if (p === 1) return Math.abs(v) === top ? 1 : 0;
    if (p === Infinity) return 1;
    return Math.abs(v / top) ** (q - 1) / sizes.reduce((s, x) => s + (x / top) ** q, 0) ** (1 / p);
  };
  return Object.fromEntries(
    Object.entries(scaled).map(([name, x]) => [
      name,
      x.map((v, i) => t(name, i) * Math.sign(v) * power(v)),
    ]),
  );
}

/** The base steps from θ with the gradient at θ + ε̂, or between two climbs with what `between` says. */
export function samStep(
  base: Oracle,
  setting: SamSetting,
  gradient: (params: Tensors64) => Grads64,
): (params: Tensors64, lr: number, t: number) => void {
  const { rho, every = 1, between = 'base' } = setting;
  let across: Grads64 | undefined;
  return (params, lr, t) => {
    const g = gradient(params);
    if ((t - 1) % every !== 0) {
      const look = between === 'look' && across !== undefined;
      const reach = look
        ? 0.7 * Math.sqrt(dot(g, g) / dot(across as Grads64, across as Grads64))
        : 0;
      base(params, look ? combine(g, reach, across as Grads64) : g, lr, t);
      return;
    }
    const up = ascent(g, params, setting);
    const climbed = Object.fromEntries(
      Object.entries(params).map(([name, { data, shape }]) => [
        name,
        { shape, data: data.map((v, i) => v + rho * up[name][i]) },
      ]),
    );
    const above = gradient(climbed);
    across = combine(above, -dot(above, g) / dot(g, g), g);
    base(params, above, lr, t);
  };
}

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

const called = (cases: readonly Method[], name: string): Method =>
  cases.find((method) => method.name === name) as Method;
const SGD = called(sgdCases, 'sgd');
const plainSgd = () => sgdOracle(DECAY);
const roots = { epsilon: 0.1, rootsEvery: 3 };
const look = { every: 3, between: 'look' } as const;

export const cases: readonly Method[] = [
  sharp('sam sgd', SGD, plainSgd, { rho: 0.05 }),
  sharp('sam adamw', called(adamwCases, 'adamw'), () => adamwOracle({ eps })),
  sharp('sam lion', called(lionCases, 'lion'), () => lionOracle(DECAY)),
  sharp('sam shampoo', called(shampooCases, 'shampoo'), () => shampooOracle(roots).step),
  sharp('sam muon', called(muonCases, 'muon exact'), () =>
    muonOracle({ method: 'exact', ...DECAY }),
  ),
  sharp('sam kfac', called(kfacCases, 'kfac drawn'), curvedBase(DRAWN)),
  sharp('sam kfac model', called(kfacCases, 'kfac model'), curvedBase(MODEL)),
  sharp('sam p = 1', SGD, plainSgd, { p: 1 }, { rho: 0.05, p: 1 }),
  sharp('sam p = ∞', SGD, plainSgd, { p: Infinity }, { rho: 0.05, p: Infinity }),
  sharp('asam', SGD, plainSgd, { adaptive: true }, { rho: 0.5, adaptive: true }),
  sharp('looksam', SGD, plainSgd, look, { rho: 0.05, ...look }),
];
