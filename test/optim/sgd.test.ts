import { describe, expect, it } from 'vitest';
import { type Params, type SgdOptions, sgd } from '../../src/index.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { sgdOracle } from './oracles/sgd.ts';

const VARIANTS: Omit<SgdOptions, 'lr'>[] = [
  {},
  { weightDecay: 0.1 },
  { momentum: 0.9, weightDecay: 0.1 },
  { momentum: 0.9, nesterov: true, weightDecay: 0.1 },
  { momentum: 0.9, weightDecay: 0.1, decoupled: true },
  { momentum: 0.9, nesterov: true, weightDecay: 0.1, decoupled: true },
  { nesterov: true, weightDecay: 0.1 },
];

describe.each(devices)('sgd on $title', ({ device, missing }) => {
  it.skipIf(missing !== null)('takes two steps by hand', () => {
    const step = (options: Omit<SgdOptions, 'lr'>) => {
      const data = Float32Array.of(1, -2);
      const optimizer = sgd({ w: { data, shape: [2] } }, { lr: 0.5, ...options, device });
      optimizer.step({ w: Float32Array.of(2, 1) });
      const first = [...data];
      optimizer.step({ w: Float32Array.of(-1, 1) });
      return [first, [...data]];
    };
    // 1 − 0.5·2, −2 − 0.5·1; then 0 + 0.5, −2.5 − 0.5
    expect(step({})).toEqual([
      [0, -2.5],
      [0.5, -3],
    ]);
    // v = g, then 0.5·v + g = (0, 1.5)
    expect(step({ momentum: 0.5 })).toEqual([
      [0, -2.5],
      [0, -3.25],
    ]);
    // g + 0.5·v = (3, 1.5), then (−1 + 0, 1 + 0.75)
    expect(step({ momentum: 0.5, nesterov: true })).toEqual([
      [-0.5, -2.75],
      [0, -3.625],
    ]);
    // g + 0.5·θ = (2.5, 0), then (−1.125, 0)
    expect(step({ weightDecay: 0.5 })).toEqual([
      [-0.25, -2],
      [0.3125, -2],
    ]);
    // With momentum the decay of the first step is in v or not.
    expect(step({ weightDecay: 0.5, momentum: 0.5 })).toEqual([
      [-0.25, -2],
      [-0.3125, -2],
    ]);
    expect(step({ weightDecay: 0.5, momentum: 0.5, decoupled: true })).toEqual([
      [-0.25, -2],
      [-0.1875, -2.25],
    ]);
  });

  it.skipIf(missing !== null).each(VARIANTS)(
    'follows its equations for 50 steps: %o',
    (options) => {
      const bind = (params: Params) => sgd(params, { lr: schedule(), ...options, device });
      expect(outside(follow(bind, sgdOracle(options)))).toEqual([]);
    },
  );
});
