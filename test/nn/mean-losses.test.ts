/** What K-FAC makes of losses of numbers: their Fisher is their curvature or said to be none, and labels drawn have it. */
import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import type { Value } from '../../src/graph/graph.ts';
import {
  binaryCrossEntropy,
  fit,
  huber,
  kfac,
  type Loss,
  linear,
  meanAbsoluteError,
  meanSquaredError,
  type RegressionDataset,
  sgd,
} from '../../src/index.ts';
import { f32, random } from '../conformance/data.ts';
import { inDoubles, traceForward } from '../conformance/harness.ts';
import { devices } from '../optim/devices.ts';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** By output k of K outputs: the second derivative of a row's loss, or what stands for it. */
const LOSSES = [
  { loss: meanSquaredError(), curvature: (_: number, outputs: number) => 2 / outputs },
  { loss: meanAbsoluteError(), curvature: (_: number, outputs: number) => 1 / outputs ** 2 },
  {
    loss: binaryCrossEntropy(),
    curvature: (x: number, outputs: number) => (sigmoid(x) * (1 - sigmoid(x))) / outputs,
  },
];

const traced = (
  shape: number[],
  outputs: ArrayLike<number>,
  build: (output: Value) => Value[],
): Float64Array[] =>
  inDoubles(
    traceForward({
      op: 'loss',
      name: 'loss',
      inputs: [f32(shape, Array.from(outputs))],
      build: ([output]) => build(output),
      oracle: () => [],
    }),
  );

describe.each(LOSSES)('$loss.name', ({ loss, curvature }) => {
  const { fisherRoots, fisherProduct } = loss as Required<Loss>;
  const [ROWS, OUT] = [4, 3];
  const outputs = random(ROWS * OUT, { seed: 3 });

  it('has the Fisher of its curvature, each row by its share', () => {
    const roots = traced([ROWS, OUT], outputs, (x) => fisherRoots(x));
    for (let r = 0; r < ROWS; r++) {
      for (let a = 0; a < OUT; a++) {
        for (let b = 0; b < OUT; b++) {
          const at = (k: number) => r * OUT + k;
          const fisher = roots.reduce((sum, d) => sum + d[at(a)] * d[at(b)], 0);
          const want = a === b ? curvature(outputs[at(a)], OUT) / ROWS ** 2 : 0;
          expect(fisher).toBeCloseTo(want, 9);
        }
      }
    }
    const [product] = traced([ROWS, OUT], outputs, (x) => [fisherProduct(x, x, x)]);
    const sum = outputs.reduce((s, x) => s + curvature(x, OUT) * x * x, 0);
    expect(product[0]).toBeCloseTo(sum / ROWS, 7);
  });

  it('draws labels whose gradients vary by it', () => {
    const [rows, out] = [20000, 2];
    const own = Array.from({ length: rows * out }, (_, i) => (i % out === 0 ? 0.7 : -1.2));
    const [gradient] = traced([rows, out], own, (x) => {
      const sampled = loss.sample(x);
      const total = loss.likelihood?.(x, sampled) ?? loss.trace(x, sampled);
      return [gradients(total, [x])[0] as Value];
    });
    for (const k of [0, 1]) {
      let [mean, square] = [0, 0];
      for (let i = k; i < gradient.length; i += out) {
        mean += gradient[i];
        square += rows * gradient[i] ** 2;
      }
      const variance = curvature(own[k], out);
      // Five standard errors of 20,000 draws.
      expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(variance / rows));
      expect(Math.abs(square / variance - 1)).toBeLessThan(0.06);
    }
  });
});

it('refuses what there is no such thing as', () => {
  expect(() => huber({ delta: 0 })).toThrow(
    'delta of huber must be a finite number above 0, got 0',
  );
  expect(() => huber({ detla: 1 } as never)).toThrow('did you mean "delta"?');
});

const COUNT = 24;
const inputs = random(COUNT * 2, { seed: 8 });
const data: RegressionDataset = {
  name: 'sides',
  synthetic: true,
  inputs: { data: inputs, shape: [2] },
  targets: {
    data: Float32Array.from({ length: COUNT }, (_, i) => Number(inputs[2 * i] > inputs[2 * i + 1])),
    shape: [1],
  },
  count: COUNT,
};

describe.each(devices)('losses of numbers on $title', ({ device, missing }) => {
  const run = (loss: Loss, optimizer = sgd({ lr: 0.5 }), epochs = 20) =>
    fit(linear(1), { train: data, test: data }, { optimizer, loss, batch: 8, epochs, device });

  it.skipIf(missing !== null)('train, and tell the share of right labels', async () => {
    const { history } = await run(binaryCrossEntropy());
    expect(history[19].testAccuracy).toBeGreaterThan(0.9);
    for (const loss of [meanSquaredError(), meanAbsoluteError(), huber()]) {
      const { history } = await run(loss, sgd({ lr: 0.1 }));
      expect(history[19].trainLoss).toBeLessThan(history[0].trainLoss);
      expect(history[19].testAccuracy).toBeUndefined();
    }
  });

  it.skipIf(missing !== null)(
    'K-FAC takes those with a Fisher, huber by its own gradients',
    async () => {
      for (const fisher of ['true', 'exact'] as const) {
        for (const { loss } of LOSSES) {
          const { history } = await run(loss, kfac({ lr: 0.1, fisher }));
          expect(history[19].trainLoss).toBeLessThan(history[0].trainLoss);
        }
        await expect(run(huber(), kfac({ lr: 0.1, fisher }), 1)).rejects.toThrow(
          'The Fisher of huber is not known',
        );
      }
      const { history } = await run(huber(), kfac({ lr: 0.1, fisher: 'empirical' }));
      expect(history[19].trainLoss).toBeLessThan(history[0].trainLoss);
    },
  );
});
