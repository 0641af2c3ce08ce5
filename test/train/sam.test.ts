/** SAM's two passes in training. */
import { describe, expect, it } from 'vitest';
import {
  crossEntropy,
  type Dataset,
  dropout,
  kfac,
  type Loss,
  linear,
  muonWithAdamW,
  type Optimizer,
  sam,
  sequential,
  sgd,
  tanh,
} from '../../src/index.ts';
import { assign } from '../../src/ops/assign.ts';
import { uniforms } from '../../src/random/philox.ts';
import { TrainedModel } from '../../src/train/model.ts';
import { Training } from '../../src/train/training.ts';
import { devices } from '../optim/devices.ts';
import { bytesOf } from '../optim/tensors.ts';

const ROWS = 16;
const data: Dataset = {
  name: 'noise',
  synthetic: true,
  inputs: { data: uniforms({ seed: 1, stream: 0, step: 0 }, ROWS * 6), shape: [6] },
  labels: Int32Array.from({ length: ROWS }, (_, i) => i % 3),
  classes: 3,
  count: ROWS,
};

const model = (p: number) => sequential(linear(32), tanh(), dropout(p), linear(3), dropout(p));

const lossKey = (pass: number) => `test/loss${pass}`;

/** Cross-entropy that leaves the loss of each pass in the store. */
function recorded(): Loss {
  let passes = 0;
  const loss = crossEntropy();
  return {
    ...loss,
    trace: (output, targets) => {
      const value = loss.trace(output, targets);
      passes += 1;
      assign([output.graph.stored(lossKey(passes), value.type)], [value]);
      return value;
    },
  };
}

describe.each(devices)('SAM on $title', ({ device, missing }) => {
  async function train(optimizer: Optimizer, { p = 0.5, epochs = 3, seed = 4 } = {}) {
    const options = { optimizer, loss: recorded(), batch: ROWS, seed, device };
    const training = new Training(model(p), { train: data }, options);
    const losses: number[][] = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      await training.epoch();
      const passes = [1, 2].filter((pass) => training.store.has(lossKey(pass)));
      losses.push(passes.map((pass) => training.store.read(lossKey(pass))[0]));
    }
    return { losses, bytes: bytesOf(new TrainedModel(training).parameters()) };
  }

  it.skipIf(missing !== null)('has the same dropout masks in both passes', async () => {
    const { losses } = await train(sam(sgd({ lr: 0.1 }), { rho: 0 }));
    for (const [first, second] of losses) expect(second).toBe(first);
    // New ones in every step, and others for other seeds: they are at work.
    const still = sam(sgd({ lr: 0 }), { rho: 0 });
    const { losses: standing } = await train(still);
    expect(new Set(standing.map(([first]) => first)).size).toBe(3);
    expect((await train(still, { seed: 5 })).losses[0]).not.toEqual(standing[0]);
    const { losses: near } = await train(sam(sgd({ lr: 0.1 }), { rho: 1e-5 }));
    for (const [first, second] of near) expect(Math.abs(second - first)).toBeLessThan(1e-4);
  });

  it.skipIf(missing !== null)('climbs in the second pass', async () => {
    for (const p of [0, 0.5]) {
      const { losses } = await train(sam(sgd({ lr: 0.1 }), { rho: 0.5 }), { p });
      for (const [first, second] of losses) expect(second).toBeGreaterThan(first + 0.01);
    }
  });

  it
    .skipIf(missing !== null)
    .each([
      sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.01 }),
      kfac({ lr: 0.1, weightDecay: 0.01, statisticsEvery: 2 }),
      kfac({ lr: 'model', weightDecay: 0.01, statisticsEvery: 2 }),
      muonWithAdamW({ muon: { lr: 0.1 }, adamw: { lr: 0.01 } }),
    ])('is its base $name to the bit when ρ = 0, dropout included', async (base) => {
    expect((await train(sam(base, { rho: 0 }))).bytes).toBe((await train(base)).bytes);
    expect((await train(sam(base, { rho: 0.1 }))).bytes).not.toBe((await train(base)).bytes);
  });
});
