import { LARGEST, STATUS } from './status.ts';
import { defineUpdate } from './update.ts';

/**
 * m ← β₁m + (1−β₁)d; v ← β₂v + (1−β₂)d²; θ ← θ − η(m̂/(√v̂ + ε) + λθ), decoupled, or with λ in d. AMSGrad keeps the
 * largest v for v̂.
 */
export const adamwOp = defineUpdate<{
  lrSlot: number;
  stepSlot: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  decoupled: number;
  amsgrad: number;
}>('adamw', {
  state: ({ amsgrad }) => 2 + amsgrad,
  update: ([p, g, m, v, top], attrs, row, status) => {
    const { beta1, beta2, eps, weightDecay } = attrs;
    const lr = row[attrs.lrSlot];
    // Steps taken, skipped ones left out.
    const t = row[attrs.stepSlot] - status.data[STATUS.skipped];
    const c1 = 1 / (1 - beta1 ** t);
    const c2 = 1 / (1 - beta2 ** t);
    const coupled = attrs.decoupled ? 0 : weightDecay;
    const shrink = attrs.decoupled ? weightDecay : 0;
    for (let i = 0; i < p.size; i++) {
      const d = g.data[i] + coupled * p.data[i];
      const mi = beta1 * m.data[i] + (1 - beta1) * d;
      const vi = Math.min(LARGEST, beta2 * v.data[i] + (1 - beta2) * d * d);
      m.data[i] = mi;
      v.data[i] = vi;
      if (top !== undefined) top.data[i] = Math.max(vi, top.data[i]);
      const second = top === undefined ? vi : top.data[i];
      // A float32 has no more.
      const unbiased = second * c2 > LARGEST ? Infinity : second * c2;
      p.data[i] -= lr * ((mi * c1) / (Math.sqrt(unbiased) + eps) + shrink * p.data[i]);
    }
  },
});
