import { describe, expect, it } from 'vitest';
import { type AdadeltaOptions, adadelta, cosine, type Params } from '../../src/index.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { parabola } from './landscapes.ts';
import { adadeltaOracle } from './oracles/adadelta.ts';

const VARIANTS: Omit<AdadeltaOptions, 'lr'>[] = [
  {},
  { rho: 0.5, eps: 1e-3 },
  { rho: 0, eps: 1e-2 },
  { weightDecay: 0.1 },
];

it('has the defaults of its paper', () => {
  expect(adadelta({ lr: 1 }).options).toEqual({ lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0 });
});

describe.each(devices)('adadelta on $title', ({ device, missing }) => {
  const here = it.skipIf(missing !== null);

  here('takes two steps by hand', () => {
    const data = Float32Array.of(1, 5);
    const optimizer = adadelta({ w: { data, shape: [2] } }, { lr: 0.5, rho: 0.5, eps: 1, device });
    // v = 8, Δ = 4/3, u = 8/9; then v = 4 + 2 = 6, Δ = 2√(17/9)/√7
    optimizer.step({ w: Float32Array.of(4, 0) });
    expect([...data]).toEqual([expect.closeTo(1 / 3, 6), 5]);
    optimizer.step({ w: Float32Array.of(2, 0) });
    expect([...data]).toEqual([expect.closeTo(1 / 3 - Math.sqrt(17 / 63), 6), 5]);
  });

  here.each(VARIANTS)('follows its equations for 50 steps: %o', (options) => {
    const bind = (params: Params) => adadelta(params, { lr: schedule(), ...options, device });
    expect(outside(follow(bind, adadeltaOracle(options)))).toEqual([]);
  });

  here('converges on a parabola', () => {
    const data = Float32Array.from(parabola.start);
    const options = { lr: cosine(8, { steps: 200 }), eps: 1e-3, device };
    const optimizer = adadelta({ w: { data, shape: [2] } }, options);
    for (let t = 0; t < 200; t++) {
      optimizer.step({ w: Float32Array.from(parabola.gradient(data[0], data[1])) });
    }
    expect(parabola.value(data[0], data[1])).toBeLessThan(1e-6);
  });

  here('takes the largest gradients that it may, and keeps its state finite', () => {
    const data = Float32Array.of(1, 1);
    const optimizer = adadelta({ w: { data, shape: [2] } }, { lr: 1, device });
    for (const sign of [1, -1, 1]) optimizer.step({ w: Float32Array.of(sign * 2 ** 63, 0) });
    expect(() => optimizer.step({ w: Float32Array.of(2 ** 64, 0) })).toThrow(
      expect.objectContaining({ code: 'FLATMIN_NUMERICS' }),
    );
    expect(data.every(Number.isFinite)).toBe(true);
    for (const { data: state } of Object.values(optimizer.stateDict())) {
      expect(state.every(Number.isFinite)).toBe(true);
    }
  });
});
