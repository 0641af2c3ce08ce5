import { describe, expect, it } from 'vitest';
import {
  adamw,
  type ClipOptions,
  clip,
  FlatminError,
  kfac,
  lion,
  type Optimizer,
  type Params,
  sam,
  sgd,
} from '../../src/index.ts';
import { BoundOptimizer } from '../../src/step/bound.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { adamwOracle } from './oracles/adamw.ts';
import { limited, shortened } from './oracles/clip.ts';
import type { Oracle } from './oracles/oracle.ts';
import { sgdOracle } from './oracles/sgd.ts';
import { bytesOf, constantGrads, copyParams, randomGrads, randomParams } from './tensors.ts';

const BASES: [name: string, make: () => Optimizer, oracle: () => Oracle][] = [
  [
    'sgd',
    () => sgd({ lr: schedule(), momentum: 0.5, weightDecay: 0.1 }),
    () => sgdOracle({ momentum: 0.5, weightDecay: 0.1 }),
  ],
  ['adamw', () => adamw({ lr: schedule() }), () => adamwOracle()],
];

describe.each(devices)('clip on $title', ({ device, missing }) => {
  const step = (options: ClipOptions, ...grads: number[]) => {
    const data = new Float32Array(grads.length);
    const w = { data, shape: [data.length] };
    clip({ w }, sgd({ lr: 1 }), { ...options, device }).step({ w: Float32Array.from(grads) });
    return [...data].map((v) => 0 - v);
  };

  it.skipIf(missing !== null)('takes a step by hand', () => {
    expect(step({ norm: 1 }, 3, -4)).toEqual([expect.closeTo(0.6, 6), expect.closeTo(-0.8, 6)]);
    expect(step({ norm: 10 }, 3, -4)).toEqual([3, -4]);
    expect(step({ norm: 1 }, 0, 0)).toEqual([0, 0]);
    expect(step({ norm: 1 }, 1e-42, 0)).toEqual([Math.fround(1e-42), 0]);
    expect(step({ value: 3 }, 2, -4, 5, 0)).toEqual([2, -3, 3, 0]);
  });

  it.skipIf(missing !== null).each(BASES)('follows its equations over %s', (_, make, base) => {
    const over = (options: ClipOptions) => (params: Params) =>
      clip(params, make(), { ...options, device });
    expect(outside(follow(over({ norm: 2.5 }), shortened(base(), 2.5)))).toEqual([]);
    expect(outside(follow(over({ value: 0.4 }), limited(base(), 0.4)))).toEqual([]);
  });

  const gradient = (params: Params) =>
    Object.fromEntries(
      Object.entries(params).map(([name, { data }]) => [
        name,
        data.map((v, i) => v ** 2 - 1 + (i % 3)),
      ]),
    );

  it.skipIf(missing !== null).each<ClipOptions>([{ norm: 0.5 }, { value: 0.2 }])(
    'clips SAM at the second point alone: %o',
    async (options) => {
      const climbs: string[] = [];
      const results: string[] = [];
      const base = () => sgd({ lr: 0.1 });
      for (const make of [
        () => clip(sam(base(), { rho: 0.3 }), options),
        () => sam(clip(base(), options), { rho: 0.3 }),
        () => sam(base(), { rho: 0.3 }),
      ]) {
        const params = randomParams();
        const optimizer = new BoundOptimizer(make(), params, { device });
        let calls = 0;
        await optimizer.step(() => {
          calls += 1;
          if (calls === 2) climbs.push(bytesOf(params));
          return { loss: calls, grads: gradient(params) };
        });
        expect(optimizer.sharpness).toBe(1);
        results.push(bytesOf(params));
      }
      expect(new Set(climbs).size).toBe(1);
      expect(results[1]).toBe(results[0]);
      expect(results[2]).not.toBe(results[0]);
    },
  );

  it.skipIf(missing !== null)('goes inside SAM from any depth', async () => {
    const build = [
      () => clip(clip(sam(lion({ lr: 0.1 })), { value: 0.2 }), { norm: 0.5 }),
      () => sam(clip(clip(lion({ lr: 0.1 }), { value: 0.2 }), { norm: 0.5 })),
    ];
    const [a, b] = build.map((make) => make());
    expect(a.options).toEqual(b.options);
    expect(a.name).toBe('sam');
  });

  it.skipIf(missing !== null).each<ClipOptions>([{ norm: 1 }, { value: 1 }])(
    'hides no gradient that is not finite: %o',
    (options) => {
      for (const bad of [NaN, Infinity, -Infinity]) {
        const params = randomParams();
        const before = bytesOf(params);
        const grads = constantGrads(params, 0.5);
        grads.vector[3] = bad;
        const optimizer = clip(params, adamw({ lr: 0.1 }), { ...options, device });
        expect(() => optimizer.step(grads)).toThrow(
          expect.objectContaining({
            code: 'FLATMIN_NUMERICS',
            message: expect.stringContaining('"vector"'),
          }),
        );
        expect(bytesOf(params)).toBe(before);
        const skipping = clip(params, adamw({ lr: 0.1 }), {
          ...options,
          device,
          onNonFinite: 'skip',
        });
        skipping.step(grads);
        expect(bytesOf(params)).toBe(before);
        const other = copyParams(params);
        skipping.step(randomGrads(1));
        clip(other, adamw({ lr: 0.1 }), { ...options, device }).step(randomGrads(1));
        expect(bytesOf(params)).toBe(bytesOf(other));
      }
    },
  );

  it.skipIf(missing !== null)('is K-FAC bound, over K-FAC', () => {
    const data = Float32Array.of(1, 2);
    const params = { 'fc.weight': { data, shape: [1, 2] } };
    const optimizer = clip(params, kfac({ lr: 0.1 }), { norm: 1, device });
    optimizer.observe('fc', { inputs: Float32Array.of(1, 1), outputGrads: Float32Array.of(1) });
    optimizer.step({ 'fc.weight': Float32Array.of(1, 1) });
    expect([...data]).not.toEqual([1, 2]);
    // And so is SAM, which asks for what its first point saw.
    const climbing = sam(params, kfac({ lr: 0.1 }), { device });
    expect(() => climbing.step(async () => ({ loss: 0, grads: {} }))).toThrow('call observe()');
  });
});

describe('clip', () => {
  it('expects a base and one bound', () => {
    const bad: (() => unknown)[] = [
      () => clip(sgd({ lr: 1 })),
      () => clip(sgd({ lr: 1 }), { norm: 1, value: 1 }),
      () => clip(sam(sgd({ lr: 1 })), { norm: 0 }),
      () => clip(sgd({ lr: 1 }), { value: NaN }),
      () => clip(randomParams(), undefined as never, { norm: 1 }),
    ];
    const messages = bad.map((make) => {
      try {
        make();
      } catch (error) {
        expect((error as FlatminError).code).toBe('FLATMIN_ARGUMENT');
        return error instanceof FlatminError && error.message;
      }
      throw new Error('nothing was thrown');
    });
    expect(messages).toMatchInlineSnapshot(`
      [
        "clip: expected either norm or value",
        "clip: expected either norm or value",
        "clip: norm: expected a finite number above 0, got 0",
        "clip: value: expected a finite number above 0, got NaN",
        "clip expects a base optimizer, got undefined. Help: clip(lion({ lr }), options) or clip(params, lion({ lr }), options).",
      ]
    `);
  });
});
