/** The angle between c = β₁m + (1−β₁)g and its sign, of all tensors and of each. */
import { angularNoise } from '../../../src/ops/angular_noise.ts';
import { CHUNK, f32, random } from '../data.ts';
import type { Case } from '../harness.ts';

const angle = (c: readonly number[]): number => {
  const length = Math.hypot(...c);
  const along = c.reduce((sum, v) => sum + Math.abs(v) / Math.sqrt(c.length), 0);
  return length === 0 ? 0 : Math.acos(Math.min(1, along / length));
};

function noise(name: string, grads: readonly Float32Array[]): Case {
  return {
    op: 'angularNoise',
    name,
    inputs: grads.flatMap((g, i) => [
      f32([g.length], g),
      f32(
        [g.length],
        g.map((v, k) => v * (k % 3) + i),
      ),
    ]),
    build: (inputs) => {
      const tensors = grads.map((_, i) => ({ grad: inputs[2 * i], momentum: inputs[2 * i + 1] }));
      const { all, each } = angularNoise(tensors, 0.75);
      return [all, ...each];
    },
    oracle: (inputs) => {
      const blends = grads.map((_, i) =>
        Array.from(inputs[2 * i], (g, k) => 0.75 * inputs[2 * i + 1][k] + 0.25 * g),
      );
      return [blends.flat(), ...blends].map((c) => [angle(c)]);
    },
  };
}

export const cases: Case[] = [
  noise('one element', [Float32Array.of(-2)]),
  noise('zeros', [new Float32Array(5), random(9)]),
  noise('no elements', [new Float32Array(0)]),
  noise(
    'several tensors',
    [0, 1, 7, 16, 33, 0].map((n, seed) => random(n, { seed })),
  ),
  noise('several chunks', [random(2 * CHUNK + 37), random(101)]),
];
