/** Finite gradients whose squares or sums leave float32, and those whose squares vanish. */
import { describe, expect, it } from 'vitest';
import {
  adam,
  adamw,
  type BindOptions,
  type BoundOptimizer,
  clip,
  groups,
  lionK,
  muon,
  type NonFinitePolicy,
  normDescent,
  type Params,
  sam,
  sgd,
  shampoo,
} from '../../src/index.ts';
import { devices } from './devices.ts';
import { METHODS } from './methods.ts';
import { bytesOf, copyParams, randomGrads, randomParams } from './tensors.ts';

const SPIKES = [1e18, 3e19, 1e25, 1e38, 3.4e38];
const SHAPES = { w: [4, 4], b: [5] };
const LR = 0.01;

type Bind = (params: Params, lr: number, options: BindOptions) => BoundOptimizer;

const MORE: readonly { name: string; bind: Bind; largest?: number }[] = [
  { name: 'amsgrad', bind: (p, lr, o) => adam(p, { lr, amsgrad: true, ...o }) },
  { name: 'plain sgd', bind: (p, lr, o) => sgd(p, { lr, ...o }) },
  { name: 'polar muon', bind: (p, lr, o) => muon(p, { lr, method: 'polar-express', ...o }) },
  { name: 'lionK lp', bind: (p, lr, o) => lionK(p, { lr, K: { kind: 'lp', p: 3 }, ...o }) },
  { name: 'nuclear', bind: (p, lr, o) => lionK(p, { lr, K: { kind: 'nuclear' }, ...o }) },
  {
    name: 'grafted shampoo',
    bind: (p, lr, o) => shampoo(p, { lr, graft: 'adam', beta: 0.9, ...o }),
  },
  { name: 'clipped adam', bind: (p, lr, o) => clip(p, adam({ lr }), { norm: 1, ...o }) },
  {
    name: 'adam in a group',
    bind: (p, lr, o) =>
      groups(p, [{ match: /w/, optimizer: adam({ lr }) }, { optimizer: sgd({ lr }) }], o),
  },
];

const finite = (optimizer: BoundOptimizer, params: Params): boolean =>
  [...Object.values(optimizer.stateDict()), ...Object.values(params)].every(({ data }) =>
    data.every((v) => Number.isFinite(v)),
  );

const spiked = (size: number) => {
  const grads = randomGrads(77, SHAPES);
  grads.w[2] = size;
  grads.w[7] = -size;
  return grads;
};

describe.each(devices)('a gradient out of scale on $title', ({ device, missing }) => {
  describe.skipIf(missing !== null).each([...METHODS, ...MORE])('$name', ({ bind }) => {
    const start = (onNonFinite: NonFinitePolicy) => {
      const params = randomParams(SHAPES);
      const optimizer = bind(params, LR, { device, onNonFinite });
      for (let t = 1; t <= 3; t++) optimizer.step(randomGrads(t, SHAPES));
      return { params, optimizer };
    };

    it.each(SPIKES)('of %f is stepped with or refused, with finite state', (size) => {
      const { params, optimizer } = start('throw');
      const before = bytesOf(params);
      const state = optimizer.stateDict();
      let error: unknown;
      try {
        optimizer.step(spiked(size));
      } catch (thrown) {
        error = thrown;
      }
      if (error !== undefined) {
        expect(error).toMatchObject({
          code: 'FLATMIN_NUMERICS',
          message: expect.stringMatching(/^The gradient of "w" is so large .* at step 4\. /),
        });
        expect(bytesOf(params)).toBe(before);
        expect(optimizer.stateDict()).toEqual({
          ...state,
          status: expect.objectContaining({ shape: [8] }),
        });
      }
      expect(finite(optimizer, params)).toBe(true);
      for (let t = 5; t <= 9; t++) optimizer.step(randomGrads(t, SHAPES));
      expect(finite(optimizer, params)).toBe(true);

      // Skipped where it is refused, stepped with where it is not.
      const lenient = start('skip');
      lenient.optimizer.step(spiked(size));
      expect([...lenient.optimizer.stateDict().status.data][4]).toBe(error === undefined ? 0 : 1);
      if (error !== undefined) expect(bytesOf(lenient.params)).toBe(before);
      for (let t = 5; t <= 9; t++) lenient.optimizer.step(randomGrads(t, SHAPES));
      expect(finite(lenient.optimizer, lenient.params)).toBe(true);
    });

    it.each([1e-30, 1e-38, 1e-45, 0])('of %f leaves all finite', (size) => {
      const { params, optimizer } = start('throw');
      const tiny = randomGrads(5, SHAPES);
      for (const g of Object.values(tiny)) for (const [i, v] of g.entries()) g[i] = v * size;
      for (let t = 4; t <= 6; t++) optimizer.step(tiny);
      expect(finite(optimizer, params)).toBe(true);
    });
  });

  const there = it.skipIf(missing !== null);

  /** [the method's bound on an element of a 4 × 4 tensor, how it is made] */
  const LIMITS: readonly [string, number, Bind][] = [
    ['adamw', 2 ** 63, (p, lr, o) => adamw(p, { lr, ...o })],
    ['sgd', 2 ** 100, (p, lr, o) => sgd(p, { lr, momentum: 0.9, ...o })],
    ['shampoo of means', 2 ** 61, (p, lr, o) => shampoo(p, { lr, beta: 0.9, ...o })],
    ['shampoo of sums', 2 ** 51, (p, lr, o) => shampoo(p, { lr, ...o })],
    ...METHODS.flatMap(({ name, bind }): [string, number, Bind][] =>
      name.startsWith('lion') && name !== 'lionK' ? [[name, 2 ** 127, bind]] : [],
    ),
  ];
  there.each(LIMITS)('by %s is taken up to its limit', (_, limit, bind) => {
    const params = randomParams({ w: [4, 4] });
    const optimizer = bind(params, LR, { device });
    for (let t = 0; t < 20; t++) optimizer.step({ w: new Float32Array(16).fill(limit) });
    expect(finite(optimizer, params)).toBe(true);
    const above = new Float32Array(16).fill(limit * (1 + 2 ** -22));
    expect(() => optimizer.step({ w: above })).toThrow('is so large');
  });

  there('says which tensor, and why', () => {
    const params = randomParams(SHAPES);
    const optimizer = adam(params, { lr: LR, device });
    expect(() => optimizer.step(spiked(1e25))).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The gradient of "w" is so large that the method's state would leave float32's range at step 1. Parameters and state are as before that step. Help: scale the loss, clip gradients, or set onNonFinite to "skip".]`,
    );
  });

  there.each([1e-30, 1, 1e18, 1e25, 1e30])('of size %f has the same direction', (size) => {
    const shaped = randomGrads(1, SHAPES);
    const run = (bind: (params: Params) => BoundOptimizer, scale: number) => {
      const params = copyParams({
        w: { data: new Float32Array(16), shape: [4, 4] },
        b: { data: new Float32Array(5), shape: [5] },
      });
      const grads = Object.fromEntries(
        Object.entries(shaped).map(([name, g]) => [name, g.map((v) => v * scale)]),
      );
      const optimizer = bind(params);
      optimizer.step(grads);
      return params;
    };
    const norms = ['l2', 'linf', 'l1', 'spectral', 'nuclear'] as const;
    const free: ((params: Params) => BoundOptimizer)[] = [
      ...norms.map((norm) => (p: Params) => normDescent(p, { lr: 1, norm, device })),
      (p) => muon(p, { lr: 1, momentum: 0, method: 'exact', device }),
      (p) => lionK(p, { lr: 1, K: { kind: 'lp', p: 3 }, device }),
    ];
    for (const bind of free) {
      const [want, got] = [run(bind, 1), run(bind, size)];
      for (const name of ['w', 'b']) {
        for (const [i, v] of want[name].data.entries()) {
          expect(Math.abs(got[name].data[i] - v)).toBeLessThan(2e-6);
        }
      }
    }
  });

  there.each([1e-30, 1e18, 1e25, 1e29])('of size %f is climbed along by SAM', async (size) => {
    const params = { w: { data: new Float32Array(2), shape: [2] } };
    const optimizer = sam(params, sgd({ lr: 0 }), { rho: 0.5, device });
    const seen: number[][] = [];
    await optimizer.step(() => {
      seen.push([...params.w.data]);
      return { loss: 0, grads: { w: Float32Array.of(3 * size, -4 * size) } };
    });
    expect(seen[1][0]).toBeCloseTo(0.3, 6);
    expect(seen[1][1]).toBeCloseTo(-0.4, 6);
  });

  there('is clipped before it can leave float32', () => {
    const params = { w: { data: new Float32Array(2), shape: [2] } };
    const optimizer = clip(params, sgd({ lr: 1 }), { norm: 5, device });
    optimizer.step({ w: Float32Array.of(3e28, -4e28) });
    expect(params.w.data[0]).toBeCloseTo(-3, 5);
    expect(params.w.data[1]).toBeCloseTo(4, 5);
    // A bound that is none for Adam.
    const wide = clip(params, adam({ lr: 1 }), { norm: 1e30, device });
    expect(() => wide.step({ w: Float32Array.of(1e25, 0) })).toThrow('is so large');
  });

  there('is forgotten by Adam where it is allowed', () => {
    const params = { w: { data: new Float32Array(1), shape: [1] } };
    const optimizer = adam(params, { lr: LR, betas: [0.9, 0.5], onNonFinite: 'allow', device });
    optimizer.step({ w: Float32Array.of(1e25) });
    expect(finite(optimizer, params)).toBe(true);
    for (let t = 0; t < 250; t++) optimizer.step({ w: Float32Array.of(1) });
    const [before] = params.w.data;
    optimizer.step({ w: Float32Array.of(1) });
    expect(before - params.w.data[0]).toBeGreaterThan(LR / 2);
  });
});
