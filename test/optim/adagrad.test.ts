import { describe, expect, it } from 'vitest';
import { adagrad, type Params, rmsprop } from '../../src/index.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { adagradOracle } from './oracles/adagrad.ts';

const VARIANTS = [
  {},
  { eps: 1e-2, epsInsideSqrt: true },
  { weightDecay: 0.1 },
  { weightDecay: 0.1, decoupled: true, eps: 1e-3 },
];

describe.each(devices)('on $title', ({ device, missing }) => {
  const take = (bind: (params: Params) => { step(grads: { w: Float32Array }): void }) => {
    const data = Float32Array.of(1, -2, 5);
    const optimizer = bind({ w: { data, shape: [3] } });
    optimizer.step({ w: Float32Array.of(3, -4, 0) });
    const first = [...data];
    optimizer.step({ w: Float32Array.of(4, 3, 0) });
    return [first, [...data]];
  };
  const close = (values: number[]) => values.map((v) => expect.closeTo(v, 6));

  it.skipIf(missing !== null)('adagrad takes two steps by hand', () => {
    // √v = (3, 4), then (5, 5)
    expect(take((params) => adagrad(params, { lr: 0.5, device }))).toEqual([
      close([0.5, -1.5, 5]),
      close([0.1, -1.8, 5]),
    ]);
    // √(v + 16) = (5, √32), then (√41, √41)
    const inside = { lr: 0.5, eps: 16, epsInsideSqrt: true, device };
    const first = [1 - 1.5 / 5, -2 + 2 / Math.sqrt(32)];
    expect(take((params) => adagrad(params, inside))).toEqual([
      close([...first, 5]),
      close([first[0] - 2 / Math.sqrt(41), first[1] - 1.5 / Math.sqrt(41), 5]),
    ]);
  });

  it.skipIf(missing !== null)('rmsprop takes two steps by hand', () => {
    // γ = 0.75: √v = (1.5, 2), then √(6.75/4 + 4, 3 + 2.25)
    expect(take((params) => rmsprop(params, { lr: 0.5, gamma: 0.75, device }))).toEqual([
      close([0, -1, 5]),
      close([-2 / Math.sqrt(5.6875), -1 - 1.5 / Math.sqrt(5.25), 5]),
    ]);
  });

  it.skipIf(missing !== null).each(VARIANTS)(
    'adagrad follows its equations for 50 steps: %o',
    (options) => {
      const bind = (params: Params) => adagrad(params, { lr: schedule(), ...options, device });
      expect(outside(follow(bind, adagradOracle(options)))).toEqual([]);
    },
  );

  it.skipIf(missing !== null).each(VARIANTS)(
    'rmsprop follows its equations for 50 steps: %o',
    (options) => {
      const bind = (params: Params) =>
        rmsprop(params, { lr: schedule(), gamma: 0.9, ...options, device });
      expect(outside(follow(bind, adagradOracle({ gamma: 0.9, ...options })))).toEqual([]);
    },
  );
});
