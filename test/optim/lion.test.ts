import { describe, expect, it } from 'vitest';
import { type LionOptions, lion, type Params } from '../../src/index.ts';
import { follow, LR, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { lionOracle } from './oracles/lion.ts';

const VARIANTS: Omit<LionOptions, 'lr'>[] = [
  {},
  { weightDecay: 0.3 },
  { betas: [0.95, 0.6], weightDecay: 0.1 },
  { betas: [0, 0] },
];

describe.each(devices)('lion on $title', ({ device, missing }) => {
  const bound = (data: Float32Array, options: Omit<LionOptions, 'lr'>) =>
    lion({ w: { data, shape: [data.length] } }, { lr: 0.25, ...options, device });

  it.skipIf(missing !== null)('takes two steps by hand', () => {
    const data = Float32Array.of(1, -1, 0.5);
    const optimizer = bound(data, { betas: [0.5, 0.75], weightDecay: 0.5 });
    optimizer.step({ w: Float32Array.of(2, -3, 0) });
    // 1 − 0.25(1 + 0.5), −1 − 0.25(−1 − 0.5), 0.5 − 0.25(0 + 0.25)
    expect([...data]).toEqual([0.625, -0.625, 0.4375]);
    // m = (0.5, −0.75, 0). c = 0.5m + 0.5g = (−0.25, 1.125, −0.5); with β₁ and β₂ exchanged
    // (as 0.75m + 0.25g) the first would be +0.125.
    optimizer.step({ w: Float32Array.of(-1, 3, -1) });
    expect([...data]).toEqual([0.796875, -0.796875, 0.6328125]);
  });

  it.skipIf(missing !== null).each(VARIANTS)(
    'follows its equations for 50 steps: %o',
    (options) => {
      const bind = (params: Params) => lion(params, { lr: schedule(), ...options, device });
      const all = follow(bind, lionOracle(options));
      // Where |c| is of the size of a rounding error the sign may turn: twice the rate away, for a step or two.
      const flipped = outside(all);
      expect(flipped.length).toBeLessThanOrEqual(all.length / 50);
      for (const { got, want } of flipped) expect(Math.abs(got - want)).toBeLessThan(4.1 * LR);
    },
  );

  it.skipIf(missing !== null)('only decays while momentum and gradient are 0', () => {
    const data = Float32Array.of(1, -2, 0);
    const optimizer = bound(data, { weightDecay: 0.5 });
    optimizer.step({ w: new Float32Array(3) });
    expect([...data]).toEqual([0.875, -1.75, 0]);
    optimizer.step({ w: Float32Array.of(1, 0, 0) });
    const [first] = data;
    optimizer.step({ w: new Float32Array(3) });
    // Now the momentum of the first element carries on.
    expect([...data]).toEqual([first - 0.25 * (1 + 0.5 * first), -1.75 * 0.875 ** 2, 0]);
  });
});
