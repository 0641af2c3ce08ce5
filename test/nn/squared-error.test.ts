/** The squared error: its factor, float targets from a dataset and in single steps, and what K-FAC draws for it. */
import { describe, expect, it } from 'vitest';
import {
  type AnyDataset,
  crossEntropy,
  type FitOptions,
  fit,
  kfac,
  linear,
  type RegressionDataset,
  sgd,
  squaredError,
  trainStep,
} from '../../src/index.ts';
import { permutation, STREAM, uniforms } from '../../src/random/philox.ts';
import { devices } from '../optim/devices.ts';

const [FEATURES, OUT, COUNT, SEED] = [3, 2, 11, 4];

/** y = W x + b with a little noise. */
function plane(): RegressionDataset {
  const data = uniforms({ seed: 1, stream: STREAM.init, step: 0 }, COUNT * FEATURES);
  const noise = uniforms({ seed: 2, stream: STREAM.init, step: 0 }, COUNT * OUT);
  return {
    name: 'plane',
    synthetic: true,
    inputs: { data, shape: [FEATURES] },
    targets: {
      data: noise.map((e, i) => {
        const at = Math.floor(i / OUT) * FEATURES;
        return 0.1 * e + (i % OUT) - data[at] + 2 * data[at + 1 + (i % OUT)];
      }),
      shape: [OUT],
    },
    count: COUNT,
  };
}

describe.each(devices)('squared error on $title', ({ device, missing }) => {
  const run = (train: AnyDataset, options: Partial<FitOptions> = {}) =>
    fit(
      linear(OUT),
      { train, test: train },
      {
        optimizer: sgd({ lr: 0.1 }),
        loss: squaredError(),
        batch: 4,
        epochs: 3,
        seed: SEED,
        device,
        ...options,
      },
    );

  describe.skipIf(missing !== null)('trains', () => {
    it('by the mean over rows of ½‖f − y‖², as doubles do', async () => {
      const data = plane();
      const { model: start } = await run(data, { epochs: 0 });
      const w = Float64Array.from(start.parameters().weight.data);
      const b = Float64Array.from(start.parameters().bias.data);
      const errors = (row: number) =>
        Array.from({ length: OUT }, (_, o) => {
          let f = b[o] - data.targets.data[row * OUT + o];
          for (let i = 0; i < FEATURES; i++) {
            f += w[o * FEATURES + i] * data.inputs.data[row * FEATURES + i];
          }
          return f;
        });
      const lossOf = (rows: readonly number[]) =>
        rows.reduce((sum, row) => sum + errors(row).reduce((s, e) => s + 0.5 * e * e, 0), 0);
      const losses: { train: number; test: number }[] = [];
      for (let epoch = 0; epoch < 3; epoch++) {
        const order = [...permutation({ seed: SEED, stream: STREAM.shuffle, step: epoch }, COUNT)];
        let total = 0;
        // 4, 4 and a rest of 3.
        for (const rows of [order.slice(0, 4), order.slice(4, 8), order.slice(8)]) {
          total += lossOf(rows);
          const all = rows.map(errors);
          rows.forEach((row, r) => {
            all[r].forEach((e, o) => {
              const step = (0.1 * e) / rows.length;
              b[o] -= step;
              for (let i = 0; i < FEATURES; i++) {
                w[o * FEATURES + i] -= step * data.inputs.data[row * FEATURES + i];
              }
            });
          });
        }
        losses.push({ train: total / COUNT, test: lossOf(order) / COUNT });
      }
      const { model, history } = await run(data);
      history.forEach(({ trainLoss, testLoss, testAccuracy }, i) => {
        expect(trainLoss).toBeCloseTo(losses[i].train, 5);
        expect(testLoss).toBeCloseTo(losses[i].test, 5);
        expect(testAccuracy).toBeUndefined();
      });
      const { weight, bias } = model.parameters();
      weight.data.forEach((v, i) => {
        expect(v).toBeCloseTo(w[i], 5);
      });
      bias.data.forEach((v, i) => {
        expect(v).toBeCloseTo(b[i], 5);
      });
    });

    it('in single steps, equal to an epoch of them', async () => {
      const data = plane();
      const options = { optimizer: sgd({ lr: 0.1 }), loss: squaredError(), batch: COUNT, device };
      const step = trainStep(linear(OUT), { ...options, input: [FEATURES] });
      const first = step(data.inputs.data as Float32Array, data.targets.data);
      const { history } = await run(data, { ...options, seed: 0, epochs: 1 });
      expect(first).toBeCloseTo(history[0].trainLoss, 5);
      expect(() => step(data.inputs.data as Float32Array, new Int32Array(COUNT))).toThrow(
        'The targets of a step must be a Float32Array',
      );
      expect(() => step(data.inputs.data as Float32Array, new Float32Array(COUNT))).toThrow(
        expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }),
      );
    });

    it('with K-FAC, drawn labels or none', async () => {
      for (const fisher of ['true', 'exact', 'empirical'] as const) {
        const optimizer = kfac({ lr: 0.5, fisher, klClip: 1 });
        const { history } = await run(plane(), { optimizer, batch: COUNT, epochs: 30 });
        expect(history[29].trainLoss).toBeLessThan(0.02);
        expect(history[29].trainLoss).toBeLessThan(history[0].trainLoss / 10);
      }
    });
  });

  it.skipIf(missing !== null)('refuses targets that are not of the output', async () => {
    const data = plane();
    const classes = { ...data, labels: new Int32Array(COUNT), classes: 2, targets: undefined };
    const { targets: _, ...labelled } = classes;
    await expect(run(labelled)).rejects.toMatchObject({ code: 'FLATMIN_SHAPE' });
    await expect(run(data, { loss: crossEntropy() })).rejects.toMatchObject({
      code: 'FLATMIN_SHAPE',
    });
    const wide = { ...data, targets: { data: data.targets.data, shape: [OUT, 1] } };
    await expect(run(wide)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: squaredError expects targets f32[4, 2], as the output, got f32[4, 2, 1]. Help: give the dataset targets: { data, shape }.]`,
    );
    const short = { ...data, targets: { data: data.targets.data.subarray(1), shape: [OUT] } };
    await expect(run(short)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: train data: 11 examples of [3] need 33 inputs and 22 targets, got 33 and 21]`,
    );
  });
});
