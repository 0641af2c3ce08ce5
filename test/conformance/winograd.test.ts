/** 3×3 convolutions in bfloat16 on processors that multiply it: it is the transformed operands that are rounded. */
import { describe, expect, it } from 'vitest';
import type { Numbers } from '../../src/graph/kernel.ts';
import { conv2d } from '../../src/ops/conv2d.ts';
import { bf16 } from '../optim/oracles/bf16.ts';
import { amxModel, cpu } from './backends.ts';
import { f32, random } from './data.ts';
import { type Case, traceForward } from './harness.ts';
import { type Bounded, forward, gradInput, gradWeight, type Shape } from './winograd-oracle.ts';

const backends = [cpu('avx512bf16'), cpu('amx'), await amxModel()];

/** Output, gradient of the images and of the weight. */
function convolution(s: Shape, [x, w, dy]: readonly Float32Array[]): Case {
  const side = 2 * s.padding - 2;
  return {
    op: 'conv2d',
    name: Object.values(s).join(' '),
    inputs: [
      f32([s.images, s.channels, s.height, s.width], x),
      f32([s.out, s.channels, 3, 3], w),
      f32([s.images, s.out, s.height + side, s.width + side], dy),
    ],
    build: ([images, weight, gradient]) => {
      const y = conv2d(images, weight, undefined, { padding: s.padding });
      const [dx, dw] = y.node?.op.gradient?.(y.node, [gradient]) ?? [];
      if (dx === undefined || dw === undefined) throw new Error('conv2d has no gradient');
      return [y, dx, dw];
    },
    oracle: () => [],
  };
}

const sizes = (s: Shape): number[] => [
  s.images * s.channels * s.height * s.width,
  s.out * s.channels * 9,
  s.images * s.out * (s.height + 2 * s.padding - 2) * (s.width + 2 * s.padding - 2),
];

const oracles = (s: Shape, [x, w, dy]: readonly Float32Array[], round: (v: number) => number) => [
  forward(s, x, w, round),
  gradInput(s, dy, w, round),
  gradWeight(s, x, dy, round),
];

const PARTS = ['output', 'gradient of the images', 'gradient of the weight'];

describe.each(backends)('$name', (backend) => {
  const title = backend.missing === null ? 'is there' : `skipped: ${backend.missing}`;
  const run = (c: Case, threads: number): Numbers[] =>
    traceForward(c, 'bf16').run(backend.open(threads));

  describe.skipIf(backend.missing !== null)(title, () => {
    // Whole and odd tiles, channels and panels; rows of tiles shorter and longer than a vector; several tasks.
    it.each<Shape>([
      { images: 3, channels: 32, out: 32, height: 4, width: 4, padding: 1 },
      { images: 2, channels: 33, out: 41, height: 5, width: 7, padding: 0 },
      { images: 1, channels: 35, out: 32, height: 3, width: 3, padding: 2 },
      { images: 1, channels: 32, out: 70, height: 6, width: 37, padding: 1 },
      { images: 40, channels: 34, out: 33, height: 4, width: 3, padding: 1 },
    ])('$images×$channels×$height×$width → $out, padding $padding', (s) => {
      // Multiples of 2⁻¹⁰, so that float32 transforms are exact and roundings those of the oracle.
      const inputs = sizes(s).map((size, i) =>
        random(size, { seed: i }).map((x) => Math.round(1024 * x) / 1024),
      );
      const c = convolution(s, inputs);
      const results = run(c, 1);
      oracles(s, inputs, bf16).forEach(({ want, bound }: Bounded, part) => {
        const got = results[part];
        expect(got).toHaveLength(want.length);
        const off = want.findIndex((x, i) => !(Math.abs(got[i] - x) <= bound[i]));
        expect(off, `${PARTS[part]}: ${got[off]} instead of ${want[off]}`).toBe(-1);
      });
      for (const threads of [2, 4]) expect(run(c, threads)).toEqual(results);
    });

    it('errs by about twice what rounding the operands themselves does', () => {
      const s = { images: 2, channels: 64, out: 32, height: 8, width: 8, padding: 1 };
      const inputs = sizes(s).map((size, i) => random(size, { seed: i }));
      const exact = oracles(s, inputs, (x) => x).map(({ want }) => want);
      const rounded = inputs.map((x) => x.map(bf16));
      const direct = oracles(s, rounded, (x) => x).map(({ want }) => want);
      const results = run(convolution(s, inputs), 2);
      const rms = (got: ArrayLike<number>, part: number) =>
        Math.hypot(...exact[part].map((x, i) => got[i] - x)) / Math.hypot(...exact[part]);
      exact.forEach((_, part) => {
        const ratio = rms(results[part], part) / rms(direct[part], part);
        expect(ratio, PARTS[part]).toBeGreaterThan(1.5);
        expect(ratio, PARTS[part]).toBeLessThan(2.5);
      });
    });
  });
});
