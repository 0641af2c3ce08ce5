import { type LionKOptions, lionK } from '../../../src/index.ts';
import { DECAY, lr, type Method, plain } from '../../methods/case.ts';
import type { Rows } from './matrix.ts';
import type { Oracle } from './oracle.ts';
import { exactFactor } from './polar.ts';

/** u from c = β₁m + (1−β₁)g of one tensor. */
export type Direction = (
  c: Float64Array,
  tensor: number,
  t: number,
  shape: readonly number[],
) => Float64Array;

/** c with the old m; θ ← θ − η(u + λθ); m ← β₂m + (1−β₂)g. */
export function directionOracle(
  direction: Direction,
  { betas: [beta1, beta2] = [0.9, 0.99], weightDecay = 0 } = {},
): Oracle {
  const momenta = new Map<string, Float64Array>();
  return (params, grads, lr, t) => {
    Object.entries(params).forEach(([name, { data, shape }], tensor) => {
      const g = grads[name];
      const m = momenta.get(name) ?? new Float64Array(g.length);
      const u = direction(
        m.map((v, i) => beta1 * v + (1 - beta1) * g[i]),
        tensor,
        t,
        shape,
      );
      momenta.set(
        name,
        m.map((v, i) => beta2 * v + (1 - beta2) * g[i]),
      );
      data.forEach((theta, i) => {
        data[i] = theta - lr * (u[i] + weightDecay * theta);
      });
    });
  };
}

const norm = (c: Float64Array, p: number): number =>
  c.reduce((sum, v) => sum + Math.abs(v) ** p, 0) ** (1 / p);

/** ∇K by the table of arXiv 2310.05898. */
export const GRADIENTS = {
  l1: () => (c: Float64Array) => c.map(Math.sign),
  lp: (p: number) => (c: Float64Array) => {
    const total = norm(c, p) ** (p - 1);
    return c.map((v) => (v === 0 ? 0 : (Math.sign(v) * Math.abs(v) ** (p - 1)) / total));
  },
  deadZone: (e: number) => (c: Float64Array) => c.map((v) => (Math.abs(v) > e ? Math.sign(v) : 0)),
  huber: (e: number) => (c: Float64Array) =>
    c.map((v) => (Math.abs(v) <= e ? v / e : Math.sign(v))),
  smooth: (e: number) => (c: Float64Array) => c.map((v) => v / Math.hypot(v, e)),
  largest: (k: number) => (c: Float64Array) => {
    const order = [...c.keys()].sort((a, b) => Math.abs(c[b]) - Math.abs(c[a]) || a - b);
    const taken = new Set(order.slice(0, k));
    return c.map((v, i) => (taken.has(i) ? Math.sign(v) : 0));
  },
  squared: () => (c: Float64Array) => c,
};

/** A function of the matrix [out, everything else] as a direction. */
export const ofMatrix =
  (f: (x: Rows) => Rows): Direction =>
  (c, _tensor, _t, [rows = 1]) => {
    if (c.length === 0) return c;
    const columns = c.length / rows;
    const x = Array.from({ length: rows }, (_, r) => [
      ...c.subarray(r * columns, (r + 1) * columns),
    ]);
    return Float64Array.from(f(x).flat());
  };

const of = (K: NonNullable<LionKOptions['K']>, direction: Direction): Method =>
  plain(
    `lionK ${Object.values(K).join(' ')}`,
    () => lionK({ lr, K, ...DECAY }),
    () => directionOracle(direction, DECAY),
  );

export const cases: readonly Method[] = [
  of({ kind: 'l1' }, GRADIENTS.l1()),
  of({ kind: 'lp', p: 1.5 }, GRADIENTS.lp(1.5)),
  of({ kind: 'lp', p: 3 }, GRADIENTS.lp(3)),
  of({ kind: 'deadZone', e: 0.02 }, GRADIENTS.deadZone(0.02)),
  of({ kind: 'huber', e: 0.1 }, GRADIENTS.huber(0.1)),
  of({ kind: 'smooth', e: 0.1 }, GRADIENTS.smooth(0.1)),
  of({ kind: 'largest', k: 3 }, GRADIENTS.largest(3)),
  of({ kind: 'squared' }, GRADIENTS.squared()),
  of({ kind: 'nuclear' }, ofMatrix(exactFactor)),
];
