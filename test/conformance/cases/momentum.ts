/** Momentum of several tensors: the direction of the last of several steps, and what is kept. */
import { momentum } from '../../../src/ops/momentum.ts';
import { f32, i32, random, SIZES } from '../data.ts';
import { type Case, MOMENT } from '../harness.ts';

const MOMENTS = Array.from({ length: 4 }, (_, i) => ({ ...MOMENT, step: i + 1 }));

function steps(
  name: string,
  mu: number,
  nesterov: boolean,
  sizes: readonly number[],
  status = [0, 0, 0, 0, 0, 0, 0, 0],
): Case {
  const still = status[0] !== 0 || status[1] !== 0;
  return {
    op: 'momentum',
    name: `${name}, ${mu}, nesterov ${nesterov}`,
    inputs: [
      i32([8], status),
      ...sizes.flatMap((n, t) => [
        f32([n], random(n, { seed: 2 * t })),
        f32([n], random(n, { seed: 2 * t + 1 })),
      ]),
    ],
    build: ([block, ...tensors]) => {
      const pairs = sizes.map((_, t) => ({ grad: tensors[2 * t], velocity: tensors[2 * t + 1] }));
      const directions = momentum(block, pairs, { momentum: mu, nesterov });
      return [...directions, ...pairs.map(({ velocity }) => velocity)];
    },
    oracle: ([, ...tensors], moments) => {
      const moved = sizes.map((_, t) => {
        const g = tensors[2 * t];
        let before = tensors[2 * t + 1];
        let after = before;
        for (const _ of moments) {
          if (!still) before = after;
          after = before.map((v, i) => mu * v + g[i]);
        }
        const direction = nesterov ? after.map((v, i) => g[i] + mu * v) : after;
        return { direction, velocity: still ? before : after };
      });
      return [...moved.map((m) => m.direction), ...moved.map((m) => m.velocity)];
    },
    moments: MOMENTS,
    tolerance: { rel: 1e-6, abs: 1e-6 },
  };
}

export const cases: Case[] = [
  steps('every size', 0.95, false, SIZES),
  steps('every size', 0.95, true, SIZES),
  steps('small tensors', 0.95, true, [3, 17, 0, 33]),
  steps('no tensor', 0.95, true, []),
  steps('stopped', 0.9, true, [5], [1, 0, 0, 0, 0, 0, 0, 0]),
  steps('a skipped step', 0.9, false, [5], [0, 1, 0, 0, 1, 0, 0, 0]),
];
