import { defineUpdate, type Tensors } from './update.ts';

/** Lion-K (arXiv 2310.05898): Lion with ∇K(c), K convex and even, for sign(c). */

type LionAttrs = {
  lrSlot: number;
  beta1: number;
  beta2: number;
  weightDecay: number;
};

/** θ ← θ − η(direction(c, element) + λθ), m ← β₂m + (1−β₂)g. */
function step(
  [p, g, m]: Tensors,
  { lrSlot, beta1, beta2, weightDecay }: LionAttrs,
  row: Float64Array,
  direction: (c: number, element: number) => number,
): void {
  const lr = row[lrSlot];
  for (let i = 0; i < p.size; i++) {
    const c = beta1 * m.data[i] + (1 - beta1) * g.data[i];
    p.data[i] -= lr * (direction(c, i) + weightDecay * p.data[i]);
    m.data[i] = beta2 * m.data[i] + (1 - beta2) * g.data[i];
  }
}

/** │c│ of every element. */
const sizes = ([, g, m]: Tensors, { beta1 }: LionAttrs): Float64Array =>
  Float64Array.from(m.data, (v, i) => Math.abs(beta1 * v + (1 - beta1) * g.data[i]));

/** ∇K for the K that are sums over elements, in the order of native/cpu/updates/lion_k.cc; `e` is the scale that some have. */
const GRADIENTS = {
  l1: (c) => Math.sign(c),
  deadZone: (c, e) => (c <= e && c >= -e ? 0 : Math.sign(c)),
  huber: (c, e) => Math.max(-1, Math.min(1, c / e)),
  smooth: (c, e) => (Math.abs(c / e) > 1e9 ? Math.sign(c) : c / e / Math.sqrt(1 + (c / e) ** 2)),
  squared: (c) => c,
} satisfies Record<string, (c: number, e: number) => number>;

export type ElementwiseK = keyof typeof GRADIENTS;

const KINDS = Object.keys(GRADIENTS) as ElementwiseK[];

/** The number that stands for a K in attributes. */
export const kindOf = (name: ElementwiseK): number => KINDS.indexOf(name);

export const lionKOp = defineUpdate<LionAttrs & { kind: number; e: number }>('lionK', {
  state: () => 1,
  update: (tensor, attrs, row) => {
    const gradient: (c: number, e: number) => number = GRADIENTS[KINDS[attrs.kind]];
    step(tensor, attrs, row, (c) => gradient(c, attrs.e));
  },
});

/** K = ‖·‖ₚ of each tensor; all is divided by the largest │c│, so that no power leaves the range. */
export const lionLpOp = defineUpdate<LionAttrs & { p: number }>('lionLp', {
  state: () => 1,
  update: (tensor, attrs, row) => {
    const { p } = attrs;
    const all = sizes(tensor, attrs);
    const max = all.reduce((a, b) => Math.max(a, b), 0);
    const scale = all.reduce((sum, c) => sum + (c === 0 ? 0 : (c / max) ** p), 0) ** (1 / p - 1);
    step(tensor, attrs, row, (c) =>
      c === 0 ? 0 : Math.sign(c) * (Math.abs(c) / max) ** (p - 1) * scale,
    );
  },
});

/** K = the sum of the k largest │cᵢ│ of each tensor: the sign on those k, ties to the lower index. */
export const lionLargestOp = defineUpdate<LionAttrs & { k: number }>('lionLargest', {
  state: () => 1,
  update: (tensor, attrs, row) => {
    const all = sizes(tensor, attrs).map((c) => (Number.isNaN(c) ? Infinity : c));
    const k = Math.min(attrs.k, all.length);
    const least = all.slice().sort()[all.length - k];
    let equal = k - all.reduce((n, c) => n + (c > least ? 1 : 0), 0);
    step(tensor, attrs, row, (c, i) => {
      const taken = all[i] > least || (all[i] === least && equal-- > 0);
      return taken ? Math.sign(c) : 0;
    });
  },
});
