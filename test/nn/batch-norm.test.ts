/** Batch norm in training: its statistics, what moves them and what does not, and where they are kept. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  batchNorm,
  conv2d,
  type Dataset,
  describeModel,
  type FitOptions,
  fit,
  flatten,
  kfac,
  linear,
  type Optimizer,
  sam,
  sequential,
  sgd,
  tanh,
  trainStep,
} from '../../src/index.ts';
import { permutation, STREAM, uniforms } from '../../src/random/philox.ts';
import { readSafetensors } from '../../src/train/safetensors.ts';
import { devices } from '../optim/devices.ts';
import { bytesOf } from '../optim/tensors.ts';

const FEATURES = 3;
const SEED = 7;

/** Features of unlike means and spreads. */
function points(count: number): Dataset {
  const draws = uniforms({ seed: 5, stream: STREAM.init, step: 0 }, count * FEATURES);
  return {
    name: 'points',
    synthetic: true,
    inputs: { data: draws.map((u, i) => (u + 1) * (1 + 4 * (i % FEATURES))), shape: [FEATURES] },
    labels: Int32Array.from({ length: count }, (_, i) => i % 2),
    classes: 2,
    count,
  };
}

const model = () => sequential({ norm: batchNorm(), fc: linear(2) });

/** The running statistics of the inputs in doubles, after batches of rows in the order of the epochs. */
function tracked(data: Dataset, batches: (order: Int32Array) => Int32Array[], epochs: number) {
  const running = { mean: [0, 0, 0], variance: [1, 1, 1] };
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = permutation({ seed: SEED, stream: STREAM.shuffle, step: epoch }, data.count);
    for (const rows of batches(order)) {
      for (let c = 0; c < FEATURES; c++) {
        const values = Array.from(rows, (row) => data.inputs.data[row * FEATURES + c]);
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
        running.mean[c] = 0.9 * running.mean[c] + 0.1 * mean;
        if (values.length > 1) {
          running.variance[c] = 0.9 * running.variance[c] + (0.1 * squares) / (values.length - 1);
        }
      }
    }
  }
  return running;
}

const cut = (size: number) => (order: Int32Array) =>
  Array.from({ length: Math.ceil(order.length / size) }, (_, i) =>
    order.subarray(i * size, (i + 1) * size),
  );

const folder = mkdtempSync(join(tmpdir(), 'flatmin-batch-norm-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the batch norm layer', () => {
  it('has a weight and a bias that are trained, and statistics that are not', () => {
    const { params, buffers, output } = describeModel(
      sequential({ conv: conv2d(4, 3), norm: batchNorm() }),
      { dtype: 'f32', shape: [2, 1, 5, 5] },
    );
    expect(output.shape).toEqual([2, 4, 3, 3]);
    const named = (list: typeof params) => list.map(({ name, shape }) => `${name} ${shape}`);
    expect(named(params).slice(2)).toEqual(['norm.weight 4', 'norm.bias 4']);
    expect(named(buffers)).toEqual(['norm.running_mean 4', 'norm.running_var 4']);
  });

  it('refuses what it cannot be', () => {
    for (const options of [{ eps: 0 }, { eps: NaN }, { momentum: -0.1 }, { momentum: 1.5 }]) {
      expect(() => batchNorm(options)).toThrow(
        expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }),
      );
    }
    expect(() => batchNorm({ momentum: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: batchNorm expects momentum to be a finite number from 0 to 1, got 2]`,
    );
    expect(() =>
      describeModel(sequential(batchNorm()), { dtype: 'f32', shape: [4] }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Layer "0: batchNorm()": batchNorm expects f32 [n, channels, …], got f32[4]]`,
    );
  });
});

describe.each(devices)('batch norm on $title', ({ device, missing }) => {
  const train = (optimizer: Optimizer, count: number, options: Partial<FitOptions> = {}) =>
    fit(
      model(),
      { train: points(count) },
      { optimizer, batch: 8, epochs: 2, seed: SEED, device, ...options },
    );
  const statistics = async (...given: Parameters<typeof train>) => {
    const state = (await train(...given)).model.stateDict();
    return { mean: state['norm.running_mean'].data, variance: state['norm.running_var'].data };
  };
  const expectStatistics = (
    got: Awaited<ReturnType<typeof statistics>>,
    want: ReturnType<typeof tracked>,
  ) => {
    for (const kind of ['mean', 'variance'] as const) {
      got[kind].forEach((v, c) => {
        expect(Math.abs(v - want[kind][c])).toBeLessThanOrEqual(2e-6 * Math.abs(want[kind][c]));
      });
    }
  };
  const plain = sgd({ lr: 0.1 });

  describe.skipIf(missing !== null)('moves its running statistics', () => {
    it('once a step, a rest of the batch included', async () => {
      // Batches of 8, 8 and 5; the last of 17 rows has one row, which has no variance.
      for (const count of [21, 17]) {
        const want = tracked(points(count), cut(8), 2);
        expectStatistics(await statistics(plain, count), want);
      }
    });

    it('once a micro-batch', async () => {
      const batches = (order: Int32Array) => cut(8)(order).flatMap(cut(4));
      const want = tracked(points(21), batches, 2);
      expectStatistics(await statistics(plain, 21, { accumulate: 2 }), want);
    });

    it("in SAM's first pass alone", async () => {
      const once = tracked(points(21), cut(8), 2);
      for (const options of [{}, { every: 2 }, { every: 2, between: 'look' }] as const) {
        expectStatistics(await statistics(sam(plain, { rho: 0.5, ...options }), 21), once);
      }
    });

    it('not in a step that is skipped', async () => {
      const data = points(16);
      const bad = permutation({ seed: SEED, stream: STREAM.shuffle, step: 0 }, 16)[3];
      data.inputs.data[bad * FEATURES] = NaN;
      const options = { optimizer: plain, batch: 8, epochs: 1, seed: SEED, device } as const;
      const fitted = await fit(model(), { train: data }, { ...options, onNonFinite: 'skip' });
      const state = fitted.model.stateDict();
      const want = tracked(data, (order) => [order.subarray(8)], 1);
      expectStatistics(
        { mean: state['norm.running_mean'].data, variance: state['norm.running_var'].data },
        want,
      );
    });
  });

  it.skipIf(missing !== null)(
    'normalises by the batch in training and by what it tracked after',
    () => {
      const step = trainStep(sequential({ norm: batchNorm({ momentum: 1 }), fc: linear(2) }), {
        optimizer: sgd({ lr: 0 }),
        input: [FEATURES],
        batch: 8,
        device,
      });
      const { data } = points(8).inputs;
      const before = step.model.predict(data as Float32Array).data;
      step(data as Float32Array, new Int32Array(8));
      const state = step.model.stateDict();
      const after = step.model.predict(data as Float32Array).data;
      const [w, b] = ['fc.weight', 'fc.bias'].map((name) => state[name].data);
      const want = (mean: (c: number) => number, variance: (c: number) => number) =>
        Array.from({ length: 16 }, (_, i) => {
          const [row, out] = [Math.floor(i / 2), i % 2];
          let y = b[out];
          for (let c = 0; c < FEATURES; c++) {
            const centred = data[row * FEATURES + c] - mean(c);
            y += (w[out * FEATURES + c] * centred) / Math.sqrt(variance(c) + 1e-5);
          }
          return y;
        });
      const expectNear = (got: Float32Array, all: number[]) =>
        all.forEach((y, i) => {
          expect(Math.abs(got[i] - y)).toBeLessThan(1e-5 * (1 + Math.abs(y)));
        });
      expectNear(
        before,
        want(
          () => 0,
          () => 1,
        ),
      );
      const { 'norm.running_mean': mean, 'norm.running_var': variance } = state;
      expectNear(
        after,
        want(
          (c) => mean.data[c],
          (c) => variance.data[c],
        ),
      );
    },
  );

  it.skipIf(missing !== null)('has its statistics in checkpoints and saved weights', async () => {
    const checkpoint = join(folder, `${device}.safetensors`);
    const whole = await train(plain, 21, { epochs: 3 });
    await train(plain, 21, { epochs: 1, checkpoint });
    expect(existsSync(checkpoint)).toBe(true);
    const resumed = await train(plain, 21, { epochs: 3, checkpoint, resume: true });
    const bytes = ({ model }: typeof whole) => bytesOf(model.stateDict() as never);
    expect(bytes(resumed)).toBe(bytes(whole));
    const file = join(folder, `${device}-weights.safetensors`);
    whole.model.save(file);
    expect(Object.keys(readSafetensors(file).tensors)).toEqual([
      'norm.weight',
      'norm.bias',
      'fc.weight',
      'fc.bias',
      'norm.running_mean',
      'norm.running_var',
    ]);
    const other = await train(plain, 21, { epochs: 0 });
    expect(bytes(other)).not.toBe(bytes(whole));
    other.model.loadStateDict(readSafetensors(file).tensors);
    expect(bytes(other)).toBe(bytes(whole));
  });

  it.skipIf(missing !== null)('steps by SGD under K-FAC', async () => {
    const rate = { lr: 0.05, momentum: 0.5, weightDecay: 0.01 };
    const [base, preconditioned] = await Promise.all(
      [sgd(rate), kfac({ ...rate, klClip: 1e9 })].map((o) =>
        train(o, 8, { epochs: 1, batch: 8 }).then(({ model }) => model.parameters()),
      ),
    );
    for (const name of ['norm.weight', 'norm.bias']) {
      expect(preconditioned[name].data).toEqual(base[name].data);
    }
    expect(preconditioned['fc.weight'].data).not.toEqual(base['fc.weight'].data);
  });

  it.skipIf(missing !== null)('learns between convolutions', async () => {
    const digits: Dataset = {
      name: 'stripes',
      synthetic: true,
      inputs: {
        data: uniforms({ seed: 9, stream: STREAM.init, step: 0 }, 40 * 36).map(
          (u, i) => u + ((Math.floor(i / 36) % 2 === 0 ? i % 6 : Math.floor((i % 36) / 6)) % 2),
        ),
        shape: [1, 6, 6],
      },
      labels: Int32Array.from({ length: 40 }, (_, i) => i % 2),
      classes: 2,
      count: 40,
    };
    const net = sequential(conv2d(3, 3), batchNorm(), tanh(), flatten(), batchNorm(), linear(2));
    const { history } = await fit(
      net,
      { train: digits, test: digits },
      { optimizer: sgd({ lr: 0.2 }), batch: 16, epochs: 20, device },
    );
    expect(history[19].testAccuracy).toBe(1);
  });
});
