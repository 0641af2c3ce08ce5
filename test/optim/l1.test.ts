import { describe, expect, it } from 'vitest';
import { adamw, clip, kfac, lion, type Params, sam, sgd, shampoo } from '../../src/index.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { adamwOracle } from './oracles/adamw.ts';
import type { Oracle } from './oracles/oracle.ts';
import { sgdOracle } from './oracles/sgd.ts';

/** The base steps with g + λ₁ sign θ. */
const regularised =
  (base: Oracle, l1: number): Oracle =>
  (params, grads, lr, t) => {
    const sum = Object.entries(grads).map(([name, g]) => [
      name,
      g.map((v, i) => v + l1 * Math.sign(params[name].data[i])),
    ]);
    base(params, Object.fromEntries(sum), lr, t);
  };

describe.each(devices)('l1 on $title', ({ device, missing }) => {
  const w = (...values: number[]) => ({
    w: { data: Float32Array.from(values), shape: [values.length] },
  });

  it.skipIf(missing !== null)('takes a step by hand', () => {
    const params = w(1, -2, 0, 3);
    sgd(params, { lr: 1, l1: 0.5, device }).step({ w: Float32Array.of(0, 0, 0, 1) });
    expect([...params.w.data]).toEqual([0.5, -1.5, 0, 1.5]);
    const both = w(1, -2, 0, 3);
    sgd(both, { lr: 1, l1: 0.5, weightDecay: 0.5, device }).step({ w: new Float32Array(4) });
    expect([...both.w.data]).toEqual([0, -0.5, 0, 1]);
  });

  it.skipIf(missing !== null)('follows its equation for 50 steps', () => {
    const l1 = 0.03;
    const bySgd = (params: Params) => sgd(params, { lr: schedule(), momentum: 0.5, l1, device });
    expect(outside(follow(bySgd, regularised(sgdOracle({ momentum: 0.5 }), l1)))).toEqual([]);
    const byAdamw = (params: Params) => adamw(params, { lr: schedule(), l1, device });
    expect(outside(follow(byAdamw, regularised(adamwOracle(), l1)))).toEqual([]);
  });

  it.skipIf(missing !== null)('is no part of what SAM climbs or clip measures', async () => {
    const params = w(1, -1);
    const climbed: number[][] = [];
    const optimizer = clip(params, sam(sgd({ lr: 1, l1: 0.5 }), { rho: 1 }), { norm: 1, device });
    await optimizer.step(() => {
      climbed.push([...params.w.data]);
      return { loss: 0, grads: { w: Float32Array.of(4, 0) } };
    });
    expect(climbed).toEqual([
      [1, -1],
      [2, -1],
    ]);
    // (1, −1) − ((1, 0) + 0.5 (1, −1))
    expect([...params.w.data]).toEqual([-0.5, -0.5]);
  });

  it.skipIf(missing !== null)('goes with every method', () => {
    const l1 = 0.1;
    for (const { options } of [lion({ lr: 1, l1 }), shampoo({ lr: 1, l1 }), kfac({ lr: 1, l1 })]) {
      expect(options).toMatchObject({ lr: 1, l1 });
    }
    expect(lion({ lr: 1 }).options).not.toHaveProperty('l1');
  });
});
