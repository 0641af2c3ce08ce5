import { describe, expect, it } from 'vitest';
import { type MuonOptions, muon, type Params } from '../../src/index.ts';
import { follow, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { muonOracle } from './oracles/muon.ts';
import { iteratedValue } from './oracles/polar.ts';
import { randomGrads, randomParams } from './tensors.ts';

type Variant = Omit<MuonOptions, 'lr'>;

const VARIANTS: Variant[] = [
  {},
  { weightDecay: 0.1, nesterov: false },
  { scale: 'match-rms-adamw', weightDecay: 0.3 },
  { method: 'polar-express', momentum: 0.5 },
  { method: 'exact', momentum: 0 },
];

/** Errors of 2⁻²⁴ in small singular values come out of an iteration up to 1000 times as large. */
const TOLERANCE = 1e-5;

describe.each(devices)('muon on $title', ({ device, missing }) => {
  const here = it.skipIf(missing !== null);
  const one = (data: Float32Array, shape: number[], options: Variant = {}) =>
    muon({ w: { data, shape } }, { lr: 0.5, method: 'exact', ...options, device });

  here('takes two steps by hand', () => {
    const data = Float32Array.of(1, 0, 0, 1, 0, 0);
    const optimizer = one(data, [3, 2], { momentum: 0.5, weightDecay: 0.5 });
    // u = 1.5g has the polar factor [[1, 0], [0, −1], [0, 0]], s = √(3/2).
    const s = Math.sqrt(1.5);
    optimizer.step({ w: Float32Array.of(4, 0, 0, -9, 0, 0) });
    const first = [1 - 0.5 * (s + 0.5), 0, 0, 1 - 0.5 * (-s + 0.5), 0, 0];
    first.forEach((want, i) => {
      expect(data[i]).toBeCloseTo(want, 6);
    });
    // v = 0.5·(4, −9) + (−1.5, 6) = (0.5, 1.5): with g + 0.5v = (−1.25, 6.75) the first sign turns.
    optimizer.step({ w: Float32Array.of(-1.5, 0, 0, 6, 0, 0) });
    expect(data[0]).toBeCloseTo(first[0] - 0.5 * (-s + 0.5 * first[0]), 6);
    expect(data[3]).toBeCloseTo(first[3] - 0.5 * (s + 0.5 * first[3]), 6);
  });

  here('scales by the flattened matrix', () => {
    // [2, 3, 2, 2] is 2 × 12: s = 1, or 0.2√12.
    const g = new Float32Array(24);
    g[0] = 5;
    g[13] = -5;
    const step = (options: Variant) => {
      const data = new Float32Array(24);
      one(data, [2, 3, 2, 2], options).step({ w: g });
      return data;
    };
    const original = step({});
    expect(original[0]).toBeCloseTo(-0.5, 6);
    expect(original[13]).toBeCloseTo(0.5, 6);
    expect(step({ scale: 'match-rms-adamw' })[0]).toBeCloseTo(-0.5 * 0.2 * Math.sqrt(12), 6);
  });

  here.each(VARIANTS)('follows its equations for 50 steps: %o', (options) => {
    const bind = (params: Params) => muon(params, { lr: schedule(), ...options, device });
    for (const { name, index, got, want } of follow(bind, muonOracle(options))) {
      expect(Math.abs(got - want), `${name}[${index}]: ${got}, not ${want}`).toBeLessThan(
        TOLERANCE,
      );
    }
  });

  here('normalises a matrix of one row, and a vector', () => {
    for (const [shape, scale] of [
      [[1, 2], 1],
      [[2], Math.SQRT2],
    ] as const) {
      const data = new Float32Array(2);
      one(data, [...shape], { method: 'newton-schulz', momentum: 0 }).step({
        w: Float32Array.of(3, -4),
      });
      const length = 0.5 * scale * iteratedValue(5, 5, 'newton-schulz');
      expect(data[0]).toBeCloseTo(-0.6 * length, 5);
      expect(data[1]).toBeCloseTo(0.8 * length, 5);
    }
  });

  here.each(['newton-schulz', 'polar-express', 'exact'] as const)(
    'only decays at a gradient of 0: %s',
    (method) => {
      const data = Float32Array.of(1, -2, 4, 0);
      one(data, [2, 2], { method, weightDecay: 0.5 }).step({ w: new Float32Array(4) });
      expect([...data]).toEqual([0.75, -1.5, 3, 0]);
    },
  );

  here('gives the transposed step for transposed matrices', () => {
    const shapes = { wide: [3, 5] };
    const { wide } = randomParams(shapes);
    const { wide: g } = randomGrads(1, shapes);
    const turn = (x: Float32Array) => x.map((_, i) => x[(i % 3) * 5 + Math.floor(i / 3)]);
    const tall = turn(wide.data);
    const options = { scale: 'match-rms-adamw', method: 'newton-schulz' } as const;
    one(tall, [5, 3], options).step({ w: turn(g) });
    one(wide.data, [3, 5], options).step({ w: g });
    expect([...tall]).toEqual([...turn(wide.data)]);
  });
});
