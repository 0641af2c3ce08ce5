import { defineUpdate } from './update.ts';

/** v ← μv + d; θ ← θ − η(v, or d + μv with Nesterov), d = g + λθ; decoupled: θ ← θ − ηλθ instead. */
export const sgdOp = defineUpdate<{
  lrSlot: number;
  momentum: number;
  nesterov: number;
  weightDecay: number;
  decoupled: number;
}>('sgd', {
  state: ({ momentum }) => (momentum === 0 ? 0 : 1),
  update: ([p, g, v], { lrSlot, momentum, nesterov, weightDecay, decoupled }, row) => {
    const lr = row[lrSlot];
    const coupled = decoupled ? 0 : weightDecay;
    const shrink = decoupled ? lr * weightDecay : 0;
    for (let i = 0; i < p.size; i++) {
      let d = g.data[i] + coupled * p.data[i];
      if (v !== undefined) {
        const next = momentum * v.data[i] + d;
        v.data[i] = next;
        d = nesterov ? d + momentum * next : next;
      }
      p.data[i] -= lr * d + shrink * p.data[i];
    }
  },
});
