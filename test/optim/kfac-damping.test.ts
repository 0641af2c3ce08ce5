/** Damping that follows the reduction ratio. */
import { describe, expect, it } from 'vitest';
import type { KfacOptions } from '../../src/index.ts';
import { stateKey } from '../../src/step/trace.ts';
import { TrainedModel } from '../../src/train/model.ts';
import { Training } from '../../src/train/training.ts';
import { devices } from './devices.ts';
import { kfacOracle } from './oracles/kfac.ts';
import { type Forward, forward, matrixOf } from './oracles/network.ts';
import {
  batchOf,
  images,
  initialParams,
  LAYERS,
  model,
  NET,
  ROWS,
  wholeSet,
} from './small-network.ts';

type Variant = Omit<KfacOptions, 'lr'>;

describe.each(devices)('adaptive damping of kfac on $title', ({ device, missing }) => {
  it.skipIf(missing !== null).each([
    ['falls while the model is right', { lr: 0.02, damping: 0.05, weightDecay: 0.02 }, 'down'],
    ['rises where steps are too long', { lr: 4, damping: 1e-3, klClip: 1e6 }, 'up'],
  ] as const)('%s', async (_, given, way) => {
    const steps = way === 'up' ? 5 : 20;
    const variant = {
      statisticsEvery: 5,
      inversesEvery: 5,
      fisher: 'empirical',
      ...given,
    } as const;
    const { weightDecay = 0 } = variant as Variant;
    const data = images();
    const reference = await initialParams(device);
    const { step, setDamping, tolerance } = kfacOracle(variant);
    const omega = 0.95 ** 5;
    let damping: number = variant.damping;
    const ratios: number[] = [];
    for (let t = 1; t <= steps; t++) {
      const batch = batchOf(data, t - 1);
      const run = () => batch.map(({ image }) => forward(NET, reference, image));
      const lossOf = (passes: readonly Forward[]) =>
        passes.reduce((sum, p, i) => sum - Math.log(p.probabilities[batch[i].label]), 0) / ROWS;
      const passes = run();
      const rows = passes.map((pass, i) => pass.backward(batch[i].label));
      const before = LAYERS.map((layer) => matrixOf(reference, layer));
      step(reference, { data: rows, fisher: rows }, variant.lr, t);
      if (t % 5 !== 0) continue;
      const after = run();
      let [slope, decay, squares] = [0, 0, 0];
      LAYERS.forEach((layer, l) => {
        matrixOf(reference, layer).forEach((row, o) => {
          row.forEach((v, i) => {
            const delta = v - before[l][o][i];
            const examples = rows.map((example) => example[l]);
            const gradient = examples.reduce(
              (sum, e) => sum + e.inputs.reduce((s, x, k) => s + e.grads[k][o] * x[i], 0),
              0,
            );
            slope += (delta * gradient) / ROWS;
            decay += weightDecay * delta * before[l][o][i];
            squares += delta ** 2;
          });
        });
      });
      let curvature = 0;
      passes.forEach((pass, n) => {
        const d = pass.logits.map((v, c) => after[n].logits[c] - v);
        const mean = d.reduce((sum, v, c) => sum + pass.probabilities[c] * v, 0);
        curvature += d.reduce((s, v, c) => s + pass.probabilities[c] * (v - mean) ** 2, 0) / ROWS;
      });
      const gained = lossOf(after) - lossOf(passes) + decay + 0.5 * weightDecay * squares;
      const model = slope + decay + 0.5 * (curvature + (damping + weightDecay) * squares);
      const ratio = gained / model;
      ratios.push(ratio);
      if (ratio > 3 / 4) damping *= omega;
      else if (!(ratio >= 1 / 4)) damping /= omega;
      setDamping(damping);
    }
    // Float32 must not be what decides.
    for (const ratio of ratios) {
      expect(Math.min(Math.abs(ratio - 3 / 4), Math.abs(ratio - 1 / 4))).toBeGreaterThan(0.02);
    }
    expect(Math.sign(damping - variant.damping)).toBe(way === 'up' ? 1 : -1);
    const training = new Training(
      model(),
      { train: data },
      wholeSet(device, { ...variant, adaptDamping: true }),
    );
    for (let t = 1; t <= steps; t++) await training.epoch();
    const [got] = training.store.read(stateKey('damping'));
    expect(Math.abs(got / damping - 1)).toBeLessThan(1e-6);
    if (way === 'up') return;
    expect(tolerance()).toBeLessThan(1e-3);
    for (const [name, { data: x }] of Object.entries(new TrainedModel(training).parameters())) {
      x.forEach((v, i) => {
        const error = Math.abs(v - reference[name].data[i]);
        expect(error, `${name}[${i}]`).toBeLessThanOrEqual(tolerance() + 1e-6);
      });
    }
  });

  it.skipIf(missing !== null)('rises where the loss after the step is not a number', async () => {
    const optimizer = { lr: 1e30, adaptDamping: true, klClip: 1e38, inversesEvery: 1000 };
    const training = new Training(
      model(),
      { train: images() },
      { ...wholeSet(device, optimizer), onNonFinite: 'allow' },
    );
    for (let t = 1; t <= 5; t++) await training.epoch();
    const [got] = training.store.read(stateKey('damping'));
    expect(got).toBeCloseTo(1e-3 / 0.95 ** 5, 8);
  });
});
