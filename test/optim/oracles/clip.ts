import { adam, clip } from '../../../src/index.ts';
import { eps, lr, type Method, plain } from '../../methods/case.ts';
import { adamOracle } from './adam.ts';
import type { Grads64, Oracle } from './oracle.ts';

const map = (grads: Grads64, f: (g: number) => number): Grads64 =>
  Object.fromEntries(Object.entries(grads).map(([name, g]) => [name, g.map(f)]));

/** The base steps with gradients no longer than `norm`, all tensors as one vector. */
export const shortened =
  (base: Oracle, norm: number): Oracle =>
  (params, grads, lr, t) => {
    const length = Math.hypot(...Object.values(grads).flatMap((g) => [...g]));
    base(params, length > norm ? map(grads, (g) => (g * norm) / length) : grads, lr, t);
  };

/** The base steps with gradients cut at ±value. */
export const limited =
  (base: Oracle, value: number): Oracle =>
  (params, grads, lr, t) =>
    base(
      params,
      map(grads, (g) => (Math.abs(g) > value ? value * Math.sign(g) : g)),
      lr,
      t,
    );

export const cases: readonly Method[] = [
  plain(
    'clip adam',
    () => clip(adam({ lr, eps }), { norm: 0.5 }),
    () => shortened(adamOracle({ eps }), 0.5),
  ),
];
