import { defineUpdate } from './update.ts';

/** c = β₁m + (1−β₁)g; θ ← θ − η(sign(c) + λθ); m ← β₂m + (1−β₂)g (arXiv 2302.06675). */
export const lionOp = defineUpdate<{
  lrSlot: number;
  beta1: number;
  beta2: number;
  weightDecay: number;
}>('lion', {
  state: () => 1,
  update: ([p, g, m], { lrSlot, beta1, beta2, weightDecay }, row) => {
    const lr = row[lrSlot];
    for (let i = 0; i < p.size; i++) {
      const c = beta1 * m.data[i] + (1 - beta1) * g.data[i];
      p.data[i] -= lr * (Math.sign(c) + weightDecay * p.data[i]);
      m.data[i] = beta2 * m.data[i] + (1 - beta2) * g.data[i];
    }
  },
});
