import { describe, expect, it } from 'vitest';
import { adam, type Params, type SoapOptions, soap } from '../../src/index.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { soapOracle } from './oracles/soap.ts';
import { bytesOf, constantGrads, randomGrads, randomParams } from './tensors.ts';

type Variant = Omit<SoapOptions, 'lr'>;

/** The first statistic leaves no more than one direction open, so that its eigenbasis is known. */
const SHAPES = {
  tall: [5, 4],
  square: [4, 4],
  wide: [3, 4],
  kernel: [3, 2, 2],
  vector: [7],
  scalar: [],
  empty: [0, 3],
};

const VARIANTS: Variant[] = [
  {},
  { betas: [0.9, 0.8], eps: 1e-3, basesEvery: 1 },
  { weightDecay: 0.1, basesEvery: 3 },
  { mergeDims: false },
  { maxDim: 4, eps: 1e-4 },
];

describe.each(devices)('soap on $title', ({ device, missing }) => {
  const here = it.skipIf(missing !== null);

  here('takes three steps by hand', () => {
    // G = diag(1, 2) has Qᴸ = Qᴿ = the exchange of the two, up to signs.
    const data = Float32Array.of(1, 0, 0, 1);
    const optimizer = soap({ w: { data, shape: [2, 2] } }, { lr: 0.5, weightDecay: 0.5, device });
    optimizer.step({ w: Float32Array.of(1, 0, 0, 2) });
    expect([...data]).toEqual([1, 0, 0, 1]);
    // m̂′/√v̂ is the sign of every element of the next gradient.
    optimizer.step({ w: Float32Array.of(0.3, -0.1, 0, -4) });
    [1 - 0.5 * 1.5, 0.5, 0, 1 - 0.5 * (-1 + 0.5)].forEach((want, i) => {
      expect(data[i]).toBeCloseTo(want, 6);
    });
  });

  here.each(VARIANTS)('follows its equations for 50 steps: %o', (options) => {
    const bind = (params: Params) => soap(params, { lr: schedule(), ...options, device });
    expect(outside(follow(bind, soapOracle(options), SHAPES))).toEqual([]);
  });

  here('begins with the first step that is taken', () => {
    const [skipped, fresh] = [randomParams(SHAPES), randomParams(SHAPES)];
    const options = { lr: 0.1, weightDecay: 0.5, onNonFinite: 'skip', device } as const;
    const optimizer = soap(skipped, options);
    const reference = soap(fresh, options);
    const before = bytesOf(skipped);
    optimizer.step({ ...randomGrads(1, SHAPES), vector: new Float32Array(7).fill(NaN) });
    expect(bytesOf(skipped)).toBe(before);
    for (let t = 1; t < 4; t++) {
      for (const each of [optimizer, reference]) each.step(randomGrads(t, SHAPES));
      expect(bytesOf(skipped) === before).toBe(t === 1);
      expect(bytesOf(skipped)).toBe(bytesOf(fresh));
    }
  });

  here('steps vectors by Adam, one step late', () => {
    const [own, other] = [randomParams({ v: [9] }), randomParams({ v: [9] })];
    const betas: [number, number] = [0.9, 0.99];
    const optimizer = soap(own, { lr: 0.1, betas, device });
    const reference = adam(other, { lr: 0.1, betas, device });
    optimizer.step(randomGrads(1, { v: [9] }));
    for (let t = 2; t < 9; t++) {
      optimizer.step(randomGrads(t, { v: [9] }));
      reference.step(randomGrads(t, { v: [9] }));
    }
    own.v.data.forEach((x, i) => {
      expect(x).toBeCloseTo(other.v.data[i], 5);
    });
  });

  here('stands still at a gradient of 0', () => {
    const params = randomParams();
    const before = bytesOf(params);
    const optimizer = soap(params, { lr: 1, basesEvery: 1, device });
    for (let t = 1; t <= 3; t++) optimizer.step(constantGrads(params, 0));
    expect(bytesOf(params)).toBe(before);
  });

  here('sets its bases in the first step that is not skipped', () => {
    const data = Float32Array.of(1, 1);
    const optimizer = soap(
      { w: { data, shape: [1, 2] } },
      { lr: 0.5, eps: 1e-3, onNonFinite: 'skip', device },
    );
    optimizer.step({ w: Float32Array.of(NaN, 1) });
    optimizer.step({ w: Float32Array.of(3, 4) });
    expect([...data]).toEqual([1, 1]);
    // Along the eigenvector (3, 4)/5 of R.
    optimizer.step({ w: Float32Array.of(6, 8) });
    expect(data[0]).toBeCloseTo(1 - 0.3, 3);
    expect(data[1]).toBeCloseTo(1 - 0.4, 3);
  });

  here('names the tensor of a statistic that overflows', () => {
    const params = {
      fine: { data: new Float32Array(4), shape: [2, 2] },
      large: { data: new Float32Array(4), shape: [2, 2] },
    };
    const grads = { fine: Float32Array.of(1, 2, 3, 4), large: Float32Array.of(1e20, 1, 1, 1) };
    // A gradient of this size is refused before its statistics are.
    expect(() =>
      soap(params, { lr: 1, device, onNonFinite: 'allow' }).step(grads),
    ).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: A matrix statistic of "large" is not finite at step 1. Parameters are as before that step. Help: squares of its gradients or inputs leave float32's range; scale the loss or the data.]`,
    );
  });
});
