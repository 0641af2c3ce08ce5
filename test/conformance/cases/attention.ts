/** Attention against its equation in doubles, and rotary positions against rotations of complex numbers. */
import * as ops from '../../../src/ops/index.ts';
import { f32, i32, random } from '../data.ts';
import type { Case } from '../harness.ts';

interface Sizes {
  readonly batch: number;
  readonly steps: number;
  readonly keys?: number;
  readonly heads: number;
  readonly dim: number;
  readonly causal?: boolean;
  readonly lengths?: readonly number[];
  /** Of queries: scores this far apart. */
  readonly spread?: number;
}

function oracle(s: Sizes, [q, k, v]: readonly Float64Array[]): number[] {
  const { batch, steps, keys = steps, heads, dim } = s;
  const width = heads * dim;
  const y = new Array<number>(batch * steps * width).fill(0);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < steps; i++) {
        const number = (j: number, d: number) => (b * keys + j) * width + h * dim + d;
        const at = (b * steps + i) * width + h * dim;
        const seen = Array.from({ length: keys }, (_, j) => j).filter(
          (j) => (!s.causal || j <= i) && (s.lengths === undefined || j < s.lengths[b]),
        );
        const scores = seen.map((j) => {
          let dot = 0;
          for (let d = 0; d < dim; d++) dot += q[at + d] * k[number(j, d)];
          return dot / Math.sqrt(dim);
        });
        const top = Math.max(...scores);
        const parts = scores.map((score) => Math.exp(score - top));
        const total = parts.reduce((x, y) => x + y, 0);
        for (let d = 0; d < dim; d++) {
          seen.forEach((j, n) => {
            y[at + d] += (parts[n] / total) * v[number(j, d)];
          });
        }
      }
    }
  }
  return y;
}

const SIZES: readonly Sizes[] = [
  { batch: 1, steps: 1, heads: 1, dim: 1 },
  { batch: 2, steps: 5, heads: 2, dim: 3 },
  { batch: 2, steps: 5, heads: 2, dim: 3, causal: true },
  { batch: 1, steps: 17, heads: 1, dim: 16, causal: true, spread: 20 },
  { batch: 3, steps: 9, heads: 1, dim: 5, lengths: [9, 4, 1] },
  { batch: 2, steps: 6, heads: 2, dim: 4, causal: true, lengths: [3, 6] },
  { batch: 2, steps: 4, heads: 1, dim: 2, lengths: [0, 2] },
  { batch: 2, steps: 3, keys: 33, heads: 2, dim: 8, lengths: [33, 20] },
  { batch: 1, steps: 4, keys: 7, heads: 3, dim: 33 },
  { batch: 1, steps: 70, heads: 1, dim: 4, causal: true },
  { batch: 1, steps: 2, keys: 300, heads: 1, dim: 3, spread: 6 },
  { batch: 1, steps: 3, heads: 1, dim: 256, causal: true },
  { batch: 0, steps: 3, heads: 1, dim: 2 },
  { batch: 1, steps: 0, heads: 1, dim: 2, causal: true },
  { batch: 1, steps: 2, keys: 0, heads: 1, dim: 2 },
];

const attended = SIZES.flatMap((s) => {
  const { batch, steps, keys = steps, heads, dim, lengths, spread = 1 } = s;
  const width = heads * dim;
  const queries = random(batch * steps * width, { seed: 11 }).map((x) => x * spread);
  const mask = s.causal ? ' causal' : '';
  const rows = lengths === undefined ? '' : ` of lengths ${lengths}`;
  return ['attention', 'attentionGrad', 'attentionTangent'].map(
    (op): Case => ({
      op,
      name: `[${batch}, ${steps} by ${keys}, ${heads} × ${dim}]${mask}${rows}`,
      inputs: [
        f32([batch, steps, width], queries),
        f32([batch, keys, width], random(batch * keys * width, { seed: 12 })),
        f32([batch, keys, width], random(batch * keys * width, { seed: 13 })),
        ...(lengths === undefined ? [] : [i32([batch], lengths)]),
      ],
      build: ([q, k, v, lengths]) => [
        ops.attention(q, k, v, { heads, causal: s.causal ?? false, lengths }),
      ],
      oracle: (inputs) => [oracle(s, inputs)],
      gradient: op === 'attention' ? undefined : [0, 1, 2],
      // A score's rounding is that of its largest terms.
      tolerance: { rel: 1e-6, abs: 2e-6 * spread },
      gradientTolerance: { rel: 1e-5, abs: 1e-5 * spread },
    }),
  );
});

const turned = (
  [
    [2, 3, 2, 4],
    [1, 1, 1, 2],
    [1, 40, 3, 34],
    [2, 3, 1, 6, 17],
    [0, 2, 1, 2],
    [1, 2, 1, 0],
  ] as const
).map(
  ([batch, steps, heads, dim, start]): Case => ({
    op: 'rotary',
    name: `[${batch}, ${steps}, ${heads} × ${dim}]${start === undefined ? '' : ` from ${start}`}`,
    inputs: [
      f32([batch, steps, heads * dim], random(batch * steps * heads * dim, { seed: 5 })),
      ...(start === undefined ? [] : [i32([], [start])]),
    ],
    build: ([x, start]) => [ops.rotary(x, { heads, base: 100, start })],
    oracle: ([x]) => [
      [...x].map((own, n) => {
        const d = n % dim;
        const first = d < dim / 2;
        const position = (Math.floor(n / (heads * dim)) % steps) + (start ?? 0);
        const angle = position / 100 ** ((2 * (d % (dim / 2))) / dim);
        const other = x[first ? n + dim / 2 : n - dim / 2];
        return own * Math.cos(angle) + (first ? -1 : 1) * other * Math.sin(angle);
      }),
    ],
    gradient: [0],
    tolerance: { rel: 1e-6, abs: 1e-6 },
  }),
);

export const cases: Case[] = [...attended, ...turned];
