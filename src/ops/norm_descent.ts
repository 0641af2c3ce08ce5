import type { Numbers } from '../graph/kernel.ts';
import { defineUpdate } from './update.ts';

/** Norms of a tensor as one vector, in the order of native/cpu/updates/norm_descent.cc. */
export const NORMS = ['l2', 'linf', 'l1'] as const;
export type Norm = (typeof NORMS)[number];

/** −LMO(m), the element of the norm's unit ball with the largest ⟨m, u⟩, times the dual norm of m if `dual`. */
const DIRECTIONS: Record<Norm, (m: Numbers, dual: boolean) => (v: number, i: number) => number> = {
  l2: (m, dual) => {
    let squares = 0;
    for (const v of m) squares += v * v;
    const length = dual || squares === 0 ? 1 : Math.sqrt(squares);
    return (v) => v / length;
  },
  linf: (m, dual) => {
    let sum = 0;
    for (const v of m) sum += Math.abs(v);
    const scale = dual ? sum : 1;
    return (v) => scale * Math.sign(v);
  },
  l1: (m, dual) => {
    // The first of the largest, or the first NaN.
    let at = 0;
    for (let i = 1; i < m.length && !Number.isNaN(m[at]); i++) {
      if (!(Math.abs(m[i]) <= Math.abs(m[at]))) at = i;
    }
    return (v, i) => (i === at ? (dual ? v : Math.sign(v)) : 0);
  },
};

/** m ← μm + (1−μ)g, or g without momentum; θ ← θ + η(s·LMO(m) − λθ), s = 1 or the dual norm of m. */
export const normDescentOp = defineUpdate<{
  lrSlot: number;
  momentum: number;
  weightDecay: number;
  norm: number;
  dual: number;
}>('normDescent', {
  state: ({ momentum }) => (momentum === 0 ? 0 : 1),
  update: ([p, g, state], { lrSlot, momentum, weightDecay, norm, dual }, row) => {
    const lr = row[lrSlot];
    const m = state ?? g;
    if (state !== undefined) {
      for (let i = 0; i < m.size; i++) {
        m.data[i] = momentum * m.data[i] + (1 - momentum) * g.data[i];
      }
    }
    const direction = DIRECTIONS[NORMS[norm]](m.data, dual !== 0);
    for (let i = 0; i < p.size; i++) {
      p.data[i] -= lr * (direction(m.data[i], i) + weightDecay * p.data[i]);
    }
  },
});
