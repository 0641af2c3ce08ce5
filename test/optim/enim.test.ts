import { describe, expect, it } from 'vitest';
import { type EnimOptions, enim, groups, type Params } from '../../src/index.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { enimOracle } from './oracles/enim.ts';
import { bytesOf, randomGrads, randomParams } from './tensors.ts';

describe.each(devices)('enim on $title', ({ device, missing }) => {
  /** u and c of one step from θ = 0 with m = 0. */
  const step = (
    shapes: Record<string, number>,
    options: Omit<EnimOptions, 'lr'> & { seed?: number },
  ) => {
    const params: Params = Object.fromEntries(
      Object.entries(shapes).map(([name, n]) => [name, { data: new Float32Array(n), shape: [n] }]),
    );
    const grads = randomGrads(
      1,
      Object.fromEntries(Object.entries(shapes).map(([k, n]) => [k, [n]])),
    );
    enim(params, { lr: 1, ...options, device }).step(grads);
    return {
      u: Object.values(params).map(({ data }) => [...data].map((v) => -v)),
      c: Object.values(grads).map((g) => [...g]),
    };
  };
  const dot = (a: number[], b: number[]) => a.reduce((sum, v, i) => sum + v * b[i], 0);
  const expectTurn = (u: number[], c: number[], angle: number) => {
    expect(dot(u, u) / u.length).toBeCloseTo(1, 5);
    const cos = dot(u, c) / Math.sqrt(dot(u, u) * dot(c, c));
    expect(cos).toBeCloseTo(Math.cos(angle), 5);
  };

  it.skipIf(missing !== null)('takes a step by hand', () => {
    // φ = 0: u = √2 (3, −4)/5; θ ← θ − 0.5(u + 0.5θ)
    const data = Float32Array.of(1, 2);
    const options = { lr: 0.5, angle: 0, weightDecay: 0.5, device };
    enim({ w: { data, shape: [2] } }, options).step({ w: Float32Array.of(3, -4) });
    expect(data[0]).toBeCloseTo(0.75 - 0.3 * Math.SQRT2, 6);
    expect(data[1]).toBeCloseTo(1.5 + 0.4 * Math.SQRT2, 6);
  });

  it.skipIf(missing !== null)('turns every tensor by φ and keeps its length √n', () => {
    for (const angle of [0, 0.1, 0.647, Math.PI / 2, 3, Math.PI]) {
      for (let seed = 0; seed < 20; seed++) {
        const { u, c } = step({ two: 2, three: 3, many: 1001 }, { angle, seed });
        for (const [i, x] of u.entries()) expectTurn(x, c[i], angle);
      }
    }
  });

  it.skipIf(missing !== null)('turns all tensors as one vector with the global scope', () => {
    const { u, c } = step({ one: 1, many: 40, none: 0 }, { angle: 1, scope: 'global' });
    expectTurn(u.flat(), c.flat(), 1);
    expect(dot(u[1], u[1]) / 40).not.toBeCloseTo(1, 3);
  });

  it.skipIf(missing !== null)('does not turn a single element, nor step where c = 0', () => {
    const { u, c } = step({ one: 1 }, { angle: 2 });
    expect(u[0]).toEqual([Math.sign(c[0][0])]);
    for (const scope of ['tensor', 'global'] as const) {
      const data = Float32Array.of(1, -2, 0);
      const optimizer = enim(
        { w: { data, shape: [3] } },
        { lr: 0.25, weightDecay: 0.5, scope, device },
      );
      optimizer.step({ w: new Float32Array(3) });
      expect([...data]).toEqual([0.875, -1.75, 0]);
    }
  });

  it.skipIf(missing !== null)('draws by seed, step and tensor', () => {
    const run = (seed: number) => {
      const params = randomParams({ a: [4], b: [4] });
      const optimizer = enim(params, { lr: 0.1, seed, device });
      const g = randomGrads(1, { a: [4] }).a;
      optimizer.step({ a: g, b: g.slice() });
      return params;
    };
    expect(bytesOf(run(1))).toBe(bytesOf(run(1)));
    expect(bytesOf(run(1))).not.toBe(bytesOf(run(2)));
    const start = randomParams({ a: [4], b: [4] });
    const moved = (name: string) => start[name].data[0] - run(1)[name].data[0];
    expect(moved('a')).not.toBeCloseTo(moved('b'), 3);
    // In groups of their own they draw what they would draw together.
    const apart = randomParams({ a: [4], b: [4] });
    const member = enim({ lr: 0.1 });
    const list = [{ match: /a/, optimizer: member }, { optimizer: member }];
    const g = randomGrads(1, { a: [4] }).a;
    groups(apart, list, { seed: 1, device }).step({ a: g, b: g.slice() });
    expect(bytesOf(apart)).toBe(bytesOf(run(1)));
  });

  it
    .skipIf(missing !== null)
    .each([{}, { angle: 2, weightDecay: 0.1 }, { scope: 'global', weightDecay: 0.1 }] as const)(
    'follows its equations for 50 steps: %o',
    (options) => {
      const bind = (params: Params) => enim(params, { lr: schedule(), ...options, device });
      expect(outside(follow(bind, enimOracle(options)))).toEqual([]);
    },
  );
});
