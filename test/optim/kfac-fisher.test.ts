/** K-FAC's factors against the Fisher itself: exact blocks, and the mean over drawn labels. */
import { describe, expect, it } from 'vitest';
import {
  type AnyDataset,
  crossEntropy,
  flatten,
  type KfacOptions,
  kfac,
  type Layer,
  type Loss,
  linear,
  sequential,
  squaredError,
  tanh,
} from '../../src/index.ts';
import { STREAM, uniforms } from '../../src/random/philox.ts';
import { stateKey } from '../../src/step/trace.ts';
import { TrainedModel } from '../../src/train/model.ts';
import { Training } from '../../src/train/training.ts';
import { unpacked } from '../conformance/data.ts';
import { devices } from './devices.ts';
import { expectClose, factorsIn } from './kfac-state.ts';
import { combine, multiply, type Rows, transpose, zeros } from './oracles/matrix.ts';
import { type Forward, forward, type LayerSpec } from './oracles/network.ts';
import { doubleParams } from './tensors.ts';

const [COUNT, FEATURES, HIDDEN, OUT] = [6, 3, 4, 3];

const inputs = uniforms({ seed: 8, stream: STREAM.init, step: 0 }, COUNT * FEATURES).map(
  (u) => 2 * u - 1,
);
const examples = { synthetic: true, inputs: { data: inputs, shape: [FEATURES] }, count: COUNT };
const classes: AnyDataset = {
  ...examples,
  name: 'classes',
  labels: Int32Array.from({ length: COUNT }, (_, i) => i % OUT),
  classes: OUT,
};
const values: AnyDataset = {
  ...examples,
  name: 'values',
  targets: {
    data: uniforms({ seed: 9, stream: STREAM.init, step: 0 }, COUNT * OUT),
    shape: [OUT],
  },
};

/** Without an activation, so that the Fisher of squared error factorises exactly. */
const deep = (): Layer => sequential({ first: linear(HIDDEN), last: linear(OUT) });
const curved = (): Layer =>
  sequential({
    flat: flatten(),
    first: linear(HIDDEN),
    act: tanh(),
    last: linear(OUT),
  });
const CURVED: LayerSpec[] = [
  { kind: 'linear', name: 'first' },
  { kind: 'tanh' },
  { kind: 'linear', name: 'last' },
];
const LAYERS = ['first', 'last'] as const;

const outer = (x: readonly number[], y: readonly number[]): Rows =>
  x.map((a) => y.map((b) => a * b));

describe.each(devices)('the Fisher of K-FAC on $title', ({ device, missing }) => {
  /** Factors after one step on all the data, and the parameters before it. */
  async function factorsOf(
    model: Layer,
    train: AnyDataset,
    loss: Loss,
    fisher: KfacOptions['fisher'],
    seed = 3,
  ) {
    const optimizer = kfac({ lr: 0, fisher });
    const training = new Training(
      model,
      { train },
      { optimizer, loss, batch: COUNT, seed, device },
    );
    const params = doubleParams(new TrainedModel(training).parameters());
    await training.epoch();
    const factors = LAYERS.map((layer) => factorsIn(training, layer));
    return { factors, params };
  }

  it.skipIf(missing !== null)(
    'has the exact blocks of a linear network with squared error',
    async () => {
      const { factors, params } = await factorsOf(deep(), values, squaredError(), 'exact');
      const second = params['last.weight'];
      const w = Array.from({ length: OUT }, (_, o) =>
        Array.from(second.data.subarray(o * HIDDEN, (o + 1) * HIDDEN)),
      );
      const first = Array.from({ length: HIDDEN }, (_, h) =>
        Array.from(params['first.weight'].data.subarray(h * FEATURES, (h + 1) * FEATURES)),
      );
      LAYERS.forEach((layer, l) => {
        // F = E[Jᵀ J], J the derivative of the outputs by the layer's matrix, row by row [out, in + 1].
        const rows = l === 0 ? HIDDEN : OUT;
        const columns = (l === 0 ? FEATURES : HIDDEN) + 1;
        let fisher = zeros(rows * columns);
        for (let n = 0; n < COUNT; n++) {
          const x = Array.from(inputs.subarray(n * FEATURES, (n + 1) * FEATURES));
          const hidden = first.map(
            (row, h) => row.reduce((sum, v, i) => sum + v * x[i], 0) + params['first.bias'].data[h],
          );
          const input = [...(l === 0 ? x : hidden), 1];
          for (let o = 0; o < OUT; o++) {
            const toRow = l === 0 ? w[o] : w.map((_, k) => (k === o ? 1 : 0));
            const j = toRow.flatMap((s) => input.map((v) => s * v));
            fisher = combine(fisher, 1, outer(j, j), 1 / COUNT);
          }
        }
        const { a, g } = factors[l];
        const kronecker = g.flatMap((grow) =>
          a.map((arow) => grow.flatMap((s) => arow.map((v) => s * v))),
        );
        expectClose(kronecker, fisher, 1e-5, layer);
        // The blocks are not multiples of one another by accident: other data has others.
        expect(Math.abs(fisher[0][1])).toBeGreaterThan(1e-4);
      });
    },
  );

  /** Σ over the labels of p s′s′ᵀ, from one backward pass for each label of each example. */
  function exactG(passes: readonly Forward[], layer: number): Rows {
    let sum = zeros(layer === 0 ? HIDDEN : OUT);
    for (const pass of passes) {
      pass.probabilities.forEach((p, label) => {
        const { grads } = pass.backward(label)[layer];
        sum = combine(sum, 1, multiply(transpose(grads), grads), p / COUNT);
      });
    }
    return sum;
  }

  it.skipIf(missing !== null)('sums over the classes of cross-entropy', async () => {
    const { factors, params } = await factorsOf(curved(), classes, crossEntropy(), 'exact');
    const passes = Array.from({ length: COUNT }, (_, n) =>
      forward(CURVED, params, {
        shape: [FEATURES],
        data: Array.from(inputs.subarray(n * FEATURES, (n + 1) * FEATURES)),
      }),
    );
    LAYERS.forEach((layer, l) => {
      expectClose(factors[l].g, exactG(passes, l), 1e-5, layer);
    });
  });

  it.skipIf(missing !== null)(
    'is the mean over draws of the true one, for both losses',
    { timeout: 60_000 },
    async () => {
      const draws = 400;
      for (const [train, loss] of [
        [classes, crossEntropy()],
        [values, squaredError()],
      ] as const) {
        // A seed decides the start as well, so all are drawn in one training that stands still.
        const optimizer = kfac({ lr: 0, fisher: 'true', statisticsEvery: 1 });
        const options = { optimizer, loss, batch: COUNT, seed: 3, device };
        const training = new Training(curved(), { train }, options);
        const { factors } = await factorsOf(curved(), train, loss, 'exact');
        const key = stateKey('g/first.weight');
        const samples: number[][] = [];
        let last: number[] = [];
        for (let k = 1; k <= draws; k++) {
          await training.epoch();
          const mean = Array.from(unpacked(training.store.read(key)));
          // g_k = d g_(k−1) + (1 − d) fresh, d = min(1 − 1/k, 0.95).
          const decay = Math.min(1 - 1 / k, 0.95);
          samples.push(mean.map((v, i) => (v - decay * (last[i] ?? 0)) / (1 - decay)));
          last = mean;
        }
        const want = factors[0].g.flat();
        let furthest = 0;
        want.forEach((exact, i) => {
          const drawn = samples.map((s) => s[i]);
          const mean = drawn.reduce((a, b) => a + b, 0) / draws;
          const variance = drawn.reduce((s, v) => s + (v - mean) ** 2, 0) / (draws - 1);
          const deviation = Math.sqrt(variance / draws);
          // 4.5 standard errors: all 16 within it but once in ten thousand runs.
          expect(Math.abs(mean - exact)).toBeLessThanOrEqual(4.5 * deviation + 1e-6);
          furthest = Math.max(furthest, deviation / Math.max(...want.map(Math.abs)));
        });
        // Narrow enough that a factor of 2 or the data's labels would fail.
        expect(furthest).toBeLessThan(0.1);
      }
    },
  );
});
