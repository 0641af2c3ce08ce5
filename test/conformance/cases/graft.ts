/** One direction with another's norm. */
import { graft } from '../../../src/ops/graft.ts';
import { CHUNK, f32, random } from '../data.ts';
import type { Case } from '../harness.ts';

const norm = (x: Float64Array): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));

const grafted = (
  name: string,
  pairs: readonly { direction: ArrayLike<number>; step: ArrayLike<number> }[],
): Case => ({
  op: 'graft',
  name,
  inputs: [
    ...pairs.map(({ direction }) => f32([direction.length], direction)),
    ...pairs.map(({ step }) => f32([step.length], step)),
  ],
  build: (values) => graft(values.slice(0, pairs.length), values.slice(pairs.length)),
  oracle: (values) =>
    pairs.map((_, t) => {
      const [d, s] = [values[t], values[pairs.length + t]];
      return d.map((x) => (norm(d) === 0 ? 0 : (x * norm(s)) / norm(d)));
    }),
});

const noise = (size: number, seed: number) => ({
  direction: random(size, { seed }),
  step: random(size, { seed: seed + 50, low: -1e-3, high: 1e-3 }),
});
const zeros = new Float32Array(5);
const ones = new Float32Array(5).fill(1);

export const cases: Case[] = [
  grafted('one', [noise(9, 1)]),
  grafted(
    'several sizes',
    [1, 3, 16, 17, 101].map((n) => noise(n, n)),
  ),
  grafted('of several chunks', [noise(CHUNK + 5, 2), noise(0, 3), noise(2 * CHUNK, 4)]),
  grafted('zeros', [
    { direction: zeros, step: ones },
    { direction: ones, step: zeros },
    { direction: zeros, step: zeros },
  ]),
  grafted('a ratio beyond float32', [{ direction: ones.map(() => 1e-40), step: ones }]),
];
