/** Batch norm by the batch's statistics, by given ones, and the running statistics. */
import { batchNorm, normaliseBy, trackStatistics } from '../../../src/ops/batch_norm.ts';
import { f32, i32, random } from '../data.ts';
import type { Case } from '../harness.ts';

const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** The values of each channel. */
function channelsOf(x: Float64Array, shape: readonly number[]): number[][] {
  const [examples, channels] = shape;
  const plane = sizeOf(shape.slice(2));
  return Array.from({ length: channels }, (_, c) =>
    Array.from({ length: examples }, (_, n) => {
      const begin = (n * channels + c) * plane;
      return [...x.subarray(begin, begin + plane)];
    }).flat(),
  );
}

/** Back in the order of the tensor. */
function together(channels: readonly number[][], shape: readonly number[]): number[] {
  const plane = sizeOf(shape.slice(2));
  return Array.from({ length: sizeOf(shape) }, (_, i) => {
    const [c, n] = [Math.floor(i / plane) % shape[1], Math.floor(i / plane / shape[1])];
    return channels[c][n * plane + (i % plane)];
  });
}

const mean = (x: readonly number[]): number =>
  x.length === 0 ? 0 : x.reduce((a, b) => a + b, 0) / x.length;
const variance = (x: readonly number[]): number => mean(x.map((v) => (v - mean(x)) ** 2));

const EPS = 1e-5;

const parameters = (channels: number) => [
  f32([channels], random(channels, { seed: 2, gap: 0.1 })),
  f32([channels], random(channels, { seed: 3 })),
];

function trained(shape: readonly number[], shift = 0, gradient?: readonly number[]): Case[] {
  const x = random(sizeOf(shape), { seed: 1 }).map((v) => v + shift);
  const scale = Math.max(1, Math.abs(shift));
  return ['batchNorm', 'batchNormGrad'].map((op) => ({
    op,
    name: `[${shape}]${shift === 0 ? '' : ` around ${shift}`}`,
    inputs: [f32(shape, x), ...parameters(shape[1])],
    build: ([value, weight, bias]) => [batchNorm(value, { weight, bias }, EPS).y],
    oracle: ([values, weight, bias]) => {
      const normed = channelsOf(values, shape).map((channel, c) => {
        const middle = mean(channel);
        const deviation = Math.sqrt(variance(channel) + EPS);
        return channel.map((v) => ((v - middle) / deviation) * weight[c] + bias[c]);
      });
      return [together(normed, shape)];
    },
    gradient: op === 'batchNormGrad' ? (gradient ?? [0, 1, 2]) : undefined,
    tolerance: { rel: 1e-6, abs: 1e-6 * scale },
    gradientTolerance: { rel: 1e-5, abs: 2e-5 * scale },
  }));
}

/** The statistics that are put out beside y. */
const statistics = (shape: readonly number[]): Case => ({
  op: 'batchNorm',
  name: `[${shape}], its statistics`,
  inputs: [f32(shape, random(sizeOf(shape), { seed: 1 })), ...parameters(shape[1])],
  build: ([x, weight, bias]) => {
    const batch = batchNorm(x, { weight, bias }, EPS);
    return [batch.mean, batch.variance];
  },
  oracle: ([x]) => [channelsOf(x, shape).map(mean), channelsOf(x, shape).map(variance)],
  tolerance: { rel: 1e-6, abs: 1e-7 },
});

/** By statistics that are given: what evaluation does. One gradient at a time: the bias's is part of the weight's. */
const given = (shape: readonly number[], wrt: number): Case => ({
  op: 'batchNorm',
  name: `[${shape}] by given statistics, gradient of input ${wrt}`,
  inputs: [
    f32(shape, random(sizeOf(shape), { seed: 1 })),
    ...parameters(shape[1]),
    f32([shape[1]], random(shape[1], { seed: 4 })),
    f32([shape[1]], random(shape[1], { seed: 5, low: 0.01, high: 3 })),
  ],
  build: ([x, weight, bias, middle, spread]) => [
    normaliseBy(x, { weight, bias }, { mean: middle, variance: spread }, EPS),
  ],
  oracle: ([x, weight, bias, middle, spread]) => {
    const normed = channelsOf(x, shape).map((channel, c) =>
      channel.map((v) => ((v - middle[c]) / Math.sqrt(spread[c] + EPS)) * weight[c] + bias[c]),
    );
    return [together(normed, shape)];
  },
  gradient: [wrt],
  tolerance: { rel: 1e-5, abs: 1e-5 },
});

const track = (
  channels: number,
  { momentum = 0.1, count = 12, status = 0 }: Partial<Record<string, number>> = {},
): Case => ({
  op: 'trackStatistics',
  name: `${channels} channels, momentum ${momentum}, ${count} values, status ${status}`,
  inputs: [
    i32([8], [0, status, 0, 0, 0, 0, 0, 0]),
    ...[1, 2, 3, 4].map((seed) => f32([channels], random(channels, { seed, low: 0.1, high: 2 }))),
  ],
  build: ([block, runningMean, runningVar, middle, spread]) => {
    const running = { mean: runningMean, variance: runningVar };
    trackStatistics(block, running, { mean: middle, variance: spread }, { momentum, count });
    return [runningMean, runningVar];
  },
  oracle: ([, runningMean, runningVar, middle, spread]) => {
    const still = status !== 0 || count === 0;
    const unbiased = count > 1 ? count / (count - 1) : 0;
    return [
      runningMean.map((v, c) => (still ? v : (1 - momentum) * v + momentum * middle[c])),
      runningVar.map((v, c) =>
        still || count === 1 ? v : (1 - momentum) * v + momentum * unbiased * spread[c],
      ),
    ];
  },
  tolerance: { rel: 1e-6 },
});

const SHAPES: readonly (readonly number[])[] = [
  [5, 3],
  [2, 1],
  [100, 17],
  [3, 4, 5],
  [4, 2, 3, 3],
  [2, 3, 1, 1],
  [1, 3, 4, 5],
  [7, 1, 1, 33],
];

export const cases: Case[] = [
  ...SHAPES.flatMap((shape) => trained(shape)),
  ...SHAPES.map(statistics),
  // More than one task, of an uneven number of examples.
  ...trained([37, 6, 28, 28]).slice(0, 1),
  ...trained([3000, 40]).slice(0, 1),
  ...trained([3000, 7]).slice(0, 1),
  ...trained([64, 4, 3, 3], 100),
  // One value a channel: y is the bias, and nothing reaches x or the weight.
  ...trained([1, 4]),
  ...trained([0, 4]).slice(0, 1),
  ...trained([4, 0, 2, 2]).slice(0, 1),
  ...[0, 1, 2].flatMap((wrt) => [given([5, 3], wrt), given([4, 2, 3, 3], wrt)]),
  ...[0, 1, 5, 300].map((channels) => track(channels)),
  track(5, { momentum: 1 }),
  track(5, { momentum: 0 }),
  track(5, { count: 1 }),
  track(5, { count: 0 }),
  track(5, { status: 1 }),
];
