/** The angle between c = β₁m + (1−β₁)g and its sign, of all tensors and of each. */
import { angularNoise } from '../../../src/ops/angular_noise.ts';
import { bf16, CHUNK, f32, random, randomIntegers } from '../data.ts';
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

/** Momenta in bf16: sign, exponents from 2⁻³ to 2, any fraction. */
const bits = (n: number, seed: number): Int32Array =>
  randomIntegers(n, 4 * 128, seed).map((v, i) => 0x3e00 + v + (i % 2) * 0x8000);

function noiseOfBf16(sizes: readonly number[]): Case {
  const plain = noise(
    'momenta in bf16',
    sizes.map((n, seed) => random(n, { seed })),
  );
  const inputs = plain.inputs.map((tensor, i) =>
    i % 2 === 0 ? tensor : bf16(tensor.shape, bits(tensor.data.length, i)),
  );
  return { ...plain, inputs };
}

export const cases: Case[] = [
  noiseOfBf16([0, 1, 7, 16, 33, 2 * CHUNK + 37]),
  noise('one element', [Float32Array.of(-2)]),
  noise('zeros', [new Float32Array(5), random(9)]),
  noise('no elements', [new Float32Array(0)]),
  noise(
    'several tensors',
    [0, 1, 7, 16, 33, 0].map((n, seed) => random(n, { seed })),
  ),
  noise('several chunks', [random(2 * CHUNK + 37), random(101)]),
];
