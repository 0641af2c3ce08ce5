/** Attention against its equation in doubles, and rotary positions against rotations of complex numbers. */
import { pushforward } from '../../../src/autodiff/gradients.ts';
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

/** Outputs, and how they move where queries, keys and values do by `moves`. */
function oracle(
  s: Sizes,
  [q, k, v]: readonly Float64Array[],
  moves?: readonly Float64Array[],
): { y: number[]; dy: number[] } {
  const { batch, steps, keys = steps, heads, dim } = s;
  const width = heads * dim;
  const [dq, dk, dv] = moves ?? [q, k, v].map(({ length }) => new Float64Array(length));
  const y = new Array<number>(batch * steps * width).fill(0);
  const dy = [...y];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < steps; i++) {
        const number = (j: number, d: number) => (b * keys + j) * width + h * dim + d;
        const at = (b * steps + i) * width + h * dim;
        const seen = Array.from({ length: keys }, (_, j) => j).filter(
          (j) => (!s.causal || j <= i) && (s.lengths === undefined || j < s.lengths[b]),
        );
        const dot = (j: number, a: Float64Array, c: Float64Array) => {
          let sum = 0;
          for (let d = 0; d < dim; d++) sum += a[at + d] * c[number(j, d)];
          return sum / Math.sqrt(dim);
        };
        const scores = seen.map((j) => dot(j, q, k));
        const top = Math.max(...scores);
        const parts = scores.map((score) => Math.exp(score - top));
        const total = parts.reduce((x, y) => x + y, 0);
        const shares = parts.map((part) => part / total);
        const slopes = seen.map((j) => dot(j, dq, k) + dot(j, q, dk));
        const mean = slopes.reduce((sum, slope, n) => sum + slope * shares[n], 0);
        for (let d = 0; d < dim; d++) {
          seen.forEach((j, n) => {
            y[at + d] += shares[n] * v[number(j, d)];
            const moved = (slopes[n] - mean) * v[number(j, d)] + dv[number(j, d)];
            dy[at + d] += shares[n] * moved;
          });
        }
      }
    }
  }
  return { y, dy };
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

function nameOf({ batch, steps, keys = steps, heads, dim, lengths, causal }: Sizes): string {
  const rows = lengths === undefined ? '' : ` of lengths ${lengths}`;
  return `[${batch}, ${steps} by ${keys}, ${heads} × ${dim}]${causal ? ' causal' : ''}${rows}`;
}

/** Queries, keys and values. */
function operands({ batch, steps, keys = steps, heads, dim, spread = 1 }: Sizes, seed: number) {
  const width = heads * dim;
  const queries = random(batch * steps * width, { seed }).map((x) => x * spread);
  return [
    f32([batch, steps, width], queries),
    f32([batch, keys, width], random(batch * keys * width, { seed: seed + 1 })),
    f32([batch, keys, width], random(batch * keys * width, { seed: seed + 2 })),
  ];
}

const endsOf = ({ batch, lengths }: Sizes) =>
  lengths === undefined ? [] : [i32([batch], lengths)];

/** All of queries, keys and values move. */
const tangents = SIZES.map(
  (s): Case => ({
    op: 'attentionTangent',
    name: nameOf(s),
    inputs: [...operands(s, 11), ...operands({ ...s, spread: 1 }, 21), ...endsOf(s)],
    build: ([q, k, v, dq, dk, dv, lengths]) => [
      pushforward(
        ops.attention(q, k, v, { heads: s.heads, causal: s.causal ?? false, lengths }),
        [q, k, v],
        [dq, dk, dv],
      ),
    ],
    oracle: (inputs) => [oracle(s, inputs.slice(0, 3), inputs.slice(3, 6)).dy],
    tolerance: { rel: 1e-5, abs: 1e-5 * (s.spread ?? 1) },
  }),
);

const attended = SIZES.flatMap((s) => {
  const { heads, spread = 1 } = s;
  return ['attention', 'attentionGrad'].map(
    (op): Case => ({
      op,
      name: nameOf(s),
      inputs: [...operands(s, 11), ...endsOf(s)],
      build: ([q, k, v, lengths]) => [
        ops.attention(q, k, v, { heads, causal: s.causal ?? false, lengths }),
      ],
      oracle: (inputs) => [oracle(s, inputs).y],
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

export const cases: Case[] = [...attended, ...tangents, ...turned];
