import { describe, expect, it } from 'vitest';
import { type AdamwOptions, adamw, type Params } from '../../src/index.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { adamwOracle } from './oracles/adamw.ts';

const VARIANTS: Omit<AdamwOptions, 'lr'>[] = [
  {},
  { betas: [0.8, 0.95], weightDecay: 0.1, eps: 1e-3 },
  { betas: [0, 0], weightDecay: 0 },
];

describe.each(devices)('adamw on $title', ({ device, missing }) => {
  it.skipIf(missing !== null)('takes two steps by hand', () => {
    const data = Float32Array.of(1);
    const options = { lr: 0.1, betas: [0.5, 0.5] as [number, number], weightDecay: 0.5 };
    const optimizer = adamw({ w: { data, shape: [1] } }, { ...options, device });
    optimizer.step({ w: Float32Array.of(2) });
    // m̂ = g and v̂ = g²: 1 − 0.1·1 − 0.1·0.5·1
    expect(data[0]).toBeCloseTo(0.85, 6);
    optimizer.step({ w: Float32Array.of(-2) });
    // m = 0.5·1 − 1 = −0.5, v = 0.5·2 + 2 = 3; m̂ = −2/3, v̂ = 4; 0.85 + 0.1/3 − 0.05·0.85
    expect(data[0]).toBeCloseTo(0.85 + 0.1 / 3 - 0.0425, 6);
  });

  it.skipIf(missing !== null).each(VARIANTS)(
    'follows its equations for 50 steps: %o',
    (options) => {
      const bind = (params: Params) => adamw(params, { lr: schedule(), ...options, device });
      expect(outside(follow(bind, adamwOracle(options)))).toEqual([]);
    },
  );
});
