import { LARGEST } from './status.ts';
import { defineUpdate } from './update.ts';

/**
 * v ← decay·v + weight·d²; θ ← θ − η(d/(√v + ε), or d/√(v + ε), + λθ), decoupled, or with λ in d: Adagrad for a decay
 * and a weight of 1, RMSProp for γ and 1 − γ.
 */
export const adagradOp = defineUpdate<{
  lrSlot: number;
  decay: number;
  weight: number;
  eps: number;
  epsInsideSqrt: number;
  weightDecay: number;
  decoupled: number;
}>('adagrad', {
  state: () => 1,
  update: ([p, g, v], attrs, row) => {
    const { decay, weight, eps, epsInsideSqrt, weightDecay } = attrs;
    const lr = row[attrs.lrSlot];
    const coupled = attrs.decoupled ? 0 : weightDecay;
    const shrink = attrs.decoupled ? weightDecay : 0;
    for (let i = 0; i < p.size; i++) {
      const d = g.data[i] + coupled * p.data[i];
      v.data[i] = Math.min(LARGEST, decay * v.data[i] + weight * d * d);
      const root = epsInsideSqrt ? Math.sqrt(v.data[i] + eps) : Math.sqrt(v.data[i]) + eps;
      p.data[i] -= lr * (d / root + shrink * p.data[i]);
    }
  },
});
