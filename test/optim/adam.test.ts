import { describe, expect, it } from 'vitest';
import { type AdamOptions, adam, adamw, type Params } from '../../src/index.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { adamOracle } from './oracles/adam.ts';
import { bytesOf, randomGrads, randomParams } from './tensors.ts';

const VARIANTS: Omit<AdamOptions, 'lr'>[] = [
  {},
  { weightDecay: 0.1 },
  { amsgrad: true, betas: [0.8, 0.6] },
  { amsgrad: true, betas: [0.8, 0.6], weightDecay: 0.1, eps: 1e-3 },
];

describe.each(devices)('adam on $title', ({ device, missing }) => {
  it.skipIf(missing !== null)('takes two steps by hand', () => {
    const step = (options: Omit<AdamOptions, 'lr'>) => {
      const data = Float32Array.of(1);
      const optimizer = adam(
        { w: { data, shape: [1] } },
        { lr: 0.5, betas: [0, 0.5], ...options, device },
      );
      optimizer.step({ w: Float32Array.of(4) });
      optimizer.step({ w: Float32Array.of(1) });
      return data[0];
    };
    // v̂ = 16, then v = 4.5 and v̂ = 6, or 8/0.75 with the largest v: 1 − 0.5 − 0.5/√v̂
    expect(step({})).toBeCloseTo(0.5 - 0.5 / Math.sqrt(6), 6);
    expect(step({ amsgrad: true })).toBeCloseTo(0.5 - 0.5 / Math.sqrt(8 / 0.75), 6);
  });

  it.skipIf(missing !== null).each(VARIANTS)(
    'follows its equations for 50 steps: %o',
    (options) => {
      const bind = (params: Params) => adam(params, { lr: schedule(), ...options, device });
      expect(outside(follow(bind, adamOracle(options)))).toEqual([]);
    },
  );

  it.skipIf(missing !== null)('is AdamW but for the decay', () => {
    const run = (make: typeof adam | typeof adamw, weightDecay: number) => {
      const params = randomParams();
      const optimizer = make(params, { lr: 0.1, weightDecay, amsgrad: true, device });
      for (let t = 1; t < 4; t++) optimizer.step(randomGrads(t));
      return bytesOf(params);
    };
    expect(run(adam, 0)).toBe(run(adamw, 0));
    expect(run(adam, 0.1)).not.toBe(run(adamw, 0.1));
  });
});
