/** The first-order methods through `fit`. */
import { describe, expect, it } from 'vitest';
import {
  adagrad,
  adam,
  enim,
  fit,
  flatten,
  linear,
  lionK,
  normDescent,
  type Optimizer,
  relu,
  rmsprop,
  sequential,
  syntheticDigits,
} from '../../src/index.ts';
import { devices } from './devices.ts';

const OPTIMIZERS: Optimizer[] = [
  adagrad({ lr: 0.02 }),
  rmsprop({ lr: 0.002 }),
  adam({ lr: 0.005, amsgrad: true }),
  lionK({ lr: 0.01, K: { kind: 'largest', k: 200 } }),
  lionK({ lr: 0.1, K: { kind: 'lp', p: 1.5 } }),
  enim({ lr: 0.002, scope: 'global' }),
  normDescent({ lr: 0.1, momentum: 0.5 }),
];

describe.each(devices)('fit on $title', ({ device, missing }) => {
  const train = syntheticDigits({ count: 200, seed: 1, split: 'train' });

  it.skipIf(missing !== null).each(OPTIMIZERS)('learns with $name', async (optimizer) => {
    const model = sequential(flatten(), linear(16), relu(), linear(10));
    const options = { optimizer, epochs: 4, batch: 30, seed: 3, device };
    const { history } = await fit(model, { train }, options);
    const losses = history.map(({ trainLoss }) => trainLoss);
    expect(losses[3]).toBeLessThan(0.8 * losses[0]);
    const again = await fit(model, { train }, options);
    expect(again.history.map(({ trainLoss }) => trainLoss)).toEqual(losses);
  });
});
