import { floatsOf, keepFloats } from './bf16.ts';
import { defineUpdate } from './update.ts';

/** c = β₁m + (1−β₁)g; θ ← θ − η(sign(c) + λθ); m ← β₂m + (1−β₂)g (arXiv 2302.06675); m is f32, or bf16 of all tensors. */
export const lionOp = defineUpdate<{
  lrSlot: number;
  beta1: number;
  beta2: number;
  weightDecay: number;
}>('lion', {
  state: () => 1,
  dtypes: ['f32', 'bf16'],
  update: ([p, g, momentum], { lrSlot, beta1, beta2, weightDecay }, row) => {
    const lr = row[lrSlot];
    const m = floatsOf(momentum);
    for (let i = 0; i < p.size; i++) {
      const c = beta1 * m[i] + (1 - beta1) * g.data[i];
      p.data[i] -= lr * (Math.sign(c) + weightDecay * p.data[i]);
      m[i] = beta2 * m[i] + (1 - beta2) * g.data[i];
    }
    keepFloats(m, momentum);
  },
});
