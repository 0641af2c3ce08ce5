/** Layers of attention: their equation with weights of one's own, what they may see, and K-FAC's view of their projections. */
import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import { compile } from '../../src/graph/compile.ts';
import { Graph } from '../../src/graph/graph.ts';
import {
  causalSelfAttention,
  describeModel,
  embedding,
  kfac,
  type Layer,
  multiHeadAttention,
  ops,
  sequential,
  sgd,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';

const WIDTH = 4;
const HEADS = 2;
const STEPS = 5;
const input = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(7 * i));

const stepOf = (layer: Layer) =>
  trainStep(
    sequential({
      attention: layer,
      head: (x) => ops.reshape(x, [x.shape[0], STEPS * WIDTH]),
    }),
    { input: [STEPS, WIDTH], batch: 2, optimizer: sgd({ lr: 0.1 }), seed: 3 },
  );

type Numbers = ArrayLike<number>;

/** x Wᵀ + b of rows. */
const project = (x: readonly Numbers[], w: Numbers, b: Numbers): number[][] =>
  x.map((row) =>
    Array.from(b, (bias, o) => {
      let sum = bias;
      for (let i = 0; i < row.length; i++) sum += row[i] * w[o * row.length + i];
      return sum;
    }),
  );

function expected(rows: readonly Numbers[], weights: readonly Numbers[], causal: boolean) {
  const [inWeight, inBias, outWeight, outBias] = weights;
  const packed = project(rows, inWeight, inBias);
  const dim = WIDTH / HEADS;
  const heads = rows.map((_, i) =>
    Array.from({ length: WIDTH }, (_, c) => {
      const first = c - (c % dim);
      const seen = packed.slice(0, causal ? i + 1 : undefined);
      const parts = seen.map((key) => {
        let dot = 0;
        for (let d = first; d < first + dim; d++) dot += packed[i][d] * key[WIDTH + d];
        return Math.exp(dot / Math.sqrt(dim));
      });
      const total = parts.reduce((a, b) => a + b);
      return parts.reduce((sum, p, j) => sum + (p / total) * seen[j][2 * WIDTH + c], 0);
    }),
  );
  return project(heads, outWeight, outBias).flat();
}

describe.each([
  [
    'causalSelfAttention',
    causalSelfAttention(HEADS),
    true,
    ['c_attn.weight', 'c_attn.bias', 'c_proj.weight', 'c_proj.bias'],
  ],
  [
    'multiHeadAttention',
    multiHeadAttention(HEADS),
    false,
    ['in_proj_weight', 'in_proj_bias', 'out_proj.weight', 'out_proj.bias'],
  ],
] as const)('%s', (_, layer, causal, names) => {
  it('is the equation of its weights', () => {
    const step = stepOf(layer);
    const x = input(2 * STEPS * WIDTH);
    const state = step.model.stateDict();
    const weights = names.map((name) => state[`attention.${name}`].data as Numbers);
    const want = [0, 1].flatMap((b) => {
      const rows = Array.from({ length: STEPS }, (_, t) =>
        x.subarray((b * STEPS + t) * WIDTH, (b * STEPS + t + 1) * WIDTH),
      );
      return expected(rows, weights, causal);
    });
    const got = step.model.predict(x).data;
    want.forEach((y, i) => {
      expect(got[i]).toBeCloseTo(y, 5);
    });
  });

  it('has projections that K-FAC knows', () => {
    const model = sequential({ embedding: embedding(7, WIDTH), layer });
    const step = trainStep(model, {
      input: [STEPS],
      inputType: 'i32',
      batch: 2,
      loss: tokenCrossEntropy(),
      optimizer: kfac({ lr: 0.1, statisticsEvery: 1, inversesEvery: 1 }),
      seed: 1,
    });
    const tokens = Int32Array.of(0, 3, 2, 6, 1, 5, 4, 4, 0, 2);
    const labels = Int32Array.of(3, 2, 0, 1, 1, 2, 2, 0, 2, 3);
    const first = step(tokens, labels);
    for (let i = 0; i < 10; i++) step(tokens, labels);
    expect(step(tokens, labels)).toBeLessThan(first);
    const state = Object.keys(step.stateDict());
    for (const name of names.filter((name) => name.endsWith('weight'))) {
      expect(state).toContain(`state/aInverse/layer.${name}`);
      expect(state).toContain(`state/gInverse/layer.${name}`);
    }
  });
});

describe('rotary positions', () => {
  it('tell steps apart that are alike otherwise', () => {
    const alike = new Float32Array(2 * STEPS * WIDTH).map(
      (_, i) => Math.sin(i % WIDTH) + (i % (2 * WIDTH) < WIDTH ? 1 : 0),
    );
    const last = (layer: Layer, x: Float32Array) => [
      ...stepOf(layer)
        .model.predict(x)
        .data.slice((STEPS - 1) * WIDTH, STEPS * WIDTH),
    ];
    const swapped = alike.slice();
    swapped.copyWithin(0, WIDTH, 2 * WIDTH);
    swapped.set(alike.subarray(0, WIDTH), WIDTH);
    const plain = multiHeadAttention(HEADS);
    const turned = multiHeadAttention(HEADS, { rotary: true });
    last(plain, alike).forEach((y, i) => {
      expect(last(plain, swapped)[i]).toBeCloseTo(y, 5);
    });
    expect(last(turned, swapped)).not.toEqual(last(turned, alike));
  });
});

it('refuses heads that do not divide the width, and rows without steps', () => {
  const layers = sequential({ attention: causalSelfAttention(3) });
  expect(() => describeModel(layers, { dtype: 'f32', shape: [2, 5, 4] })).toThrow(
    'attention expects a width that 3 heads divide into 1 to 256 each, got f32[2, 5, 4]',
  );
  expect(() => describeModel(layers, { dtype: 'f32', shape: [2, 6] })).toThrow(
    'causalSelfAttention expects [batch, steps, width], got [2, 6]',
  );
});

it.each([true, false])('memory grows as steps do, causal: %s', (causal) => {
  const arena = (steps: number): number => {
    const graph = new Graph();
    const [q, k, v] = ['q', 'k', 'v'].map((key) =>
      graph.stored(key, { dtype: 'f32', shape: [1, steps, 128] }),
    );
    const lengths = causal ? undefined : graph.stored('lengths', { dtype: 'i32', shape: [1] });
    const y = ops.attention(q, k, v, { heads: 2, causal, lengths });
    const reports = gradients(ops.sum(ops.mul(y, y)), [q, k, v]).map((d) => ops.sum(d ?? y));
    return compile(graph, { reports }).spec.arenaBytes;
  };
  expect(arena(4096) / arena(1024)).toBeLessThan(4.4);
});
