import { describe, expect, it } from 'vitest';
import {
  adamw,
  FlatminError,
  lion,
  type NonFinitePolicy,
  type Optimizer,
  type Params,
  type SamOptions,
  sam,
  sgd,
} from '../../src/index.ts';
import { BoundOptimizer } from '../../src/step/bound.ts';
import { outside, STEPS, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { METHODS } from './methods.ts';
import { adamwOracle } from './oracles/adamw.ts';
import { bf16 } from './oracles/bf16.ts';
import { lionOracle } from './oracles/lion.ts';
import type { Oracle } from './oracles/oracle.ts';
import { type SamSetting, samStep } from './oracles/sam.ts';
import { sgdOracle } from './oracles/sgd.ts';
import { gradient, gradient64 } from './slopes.ts';
import { bytesOf, constantGrads, copyParams, doubleParams, randomParams } from './tensors.ts';

const BASES: [name: string, make: () => Optimizer, oracle: () => Oracle][] = [
  ['sgd', () => sgd({ lr: schedule(), momentum: 0.5 }), () => sgdOracle({ momentum: 0.5 })],
  [
    'sgd with decay',
    () => sgd({ lr: schedule(), weightDecay: 0.1 }),
    () => sgdOracle({ weightDecay: 0.1 }),
  ],
  ['adamw', () => adamw({ lr: schedule() }), () => adamwOracle()],
  [
    'lion',
    () => lion({ lr: schedule(), weightDecay: 0.1 }),
    () => lionOracle({ weightDecay: 0.1 }),
  ],
  [
    'lion with bf16 momentum',
    () => lion({ lr: schedule(), momentumDtype: 'bf16' }),
    () => lionOracle({ kept: bf16 }),
  ],
];

describe.each(devices)('sam on $title', ({ device, missing }) => {
  it.skipIf(missing !== null)('takes a step by hand', async () => {
    const data = Float32Array.of(3, 4);
    const optimizer = sam({ w: { data, shape: [2] } }, sgd({ lr: 0.5 }), { rho: 5, device });
    const seen: number[][] = [];
    // g = θ: ‖g‖ = 5, ε̂ = θ, g̃ = 2θ, θ − 0.5·2θ = 0
    const loss = await optimizer.step(() => {
      seen.push([...data]);
      return { loss: seen.length, grads: { w: data.slice() } };
    });
    expect(seen).toEqual([
      [3, 4],
      [6, 8],
    ]);
    expect([...data]).toEqual([0, 0]);
    expect(loss).toBe(1);
  });

  it.skipIf(missing !== null)('takes one norm over all tensors', async () => {
    const params = {
      a: { data: Float32Array.of(0), shape: [] },
      b: { data: Float32Array.of(0), shape: [1] },
    };
    const at: number[][] = [];
    await sam(params, sgd({ lr: 0 }), { rho: 1, device }).step(() => {
      at.push([params.a.data[0], params.b.data[0]]);
      return { loss: 0, grads: { a: Float32Array.of(3), b: Float32Array.of(4) } };
    });
    expect(at[1][0]).toBeCloseTo(0.6, 6);
    expect(at[1][1]).toBeCloseTo(0.8, 6);
  });

  const deviations = async (make: () => Optimizer, base: Oracle, setting: SamSetting) => {
    const params = randomParams();
    const reference = doubleParams(params);
    const optimizer = sam(params, make(), { ...setting, device });
    const step = samStep(base, setting, gradient64);
    const rate = schedule();
    for (let t = 1; t <= STEPS; t++) {
      await optimizer.step(() => ({ loss: 0, grads: gradient(params) }));
      step(reference, rate({ step: t, epoch: 0 }), t);
    }
    return Object.entries(params).flatMap(([name, { data }]) =>
      Array.from(data, (got, index) => ({ name, index, got, want: reference[name].data[index] })),
    );
  };

  it.skipIf(missing !== null).each(BASES)(
    'follows its equations over %s',
    async (_, make, base) => {
      expect(outside(await deviations(make, base(), { rho: 0.1 }))).toEqual([]);
    },
  );

  it.skipIf(missing !== null).each<SamSetting>([
    { rho: 0.1, p: 1 },
    { rho: 0.1, p: 1.2 },
    { rho: 0.1, p: 3 },
    { rho: 0.01, p: Infinity },
    { rho: 0.5, adaptive: true },
    { rho: 0.1, adaptive: true, p: 4 },
    { rho: 0.1, adaptive: true, p: Infinity },
    { rho: 0.1, every: 3 },
    { rho: 0.1, every: 5, between: 'look' },
  ])('follows its equations with %o', async (setting) => {
    const make = () => sgd({ lr: schedule(), momentum: 0.5 });
    expect(outside(await deviations(make, sgdOracle({ momentum: 0.5 }), setting))).toEqual([]);
  });

  it.skipIf(missing !== null)('climbs by hand in every norm', async () => {
    const climb = async (options: SamOptions, shape: readonly number[]) => {
      const data = Float32Array.of(1, -0.5);
      const seen: number[][] = [];
      await sam({ w: { data, shape } }, sgd({ lr: 0 }), { rho: 1, device, ...options }).step(() => {
        seen.push([...data]);
        return { loss: 0, grads: { w: Float32Array.of(3, -4) } };
      });
      return seen[1].map((v, i) => v - [1, -0.5][i]);
    };
    const close = (x: number, y: number) => [expect.closeTo(x, 6), expect.closeTo(y, 6)];
    expect(await climb({}, [2])).toEqual(close(0.6, -0.8));
    expect(await climb({ p: 1 }, [2])).toEqual(close(0, -1));
    expect(await climb({ p: Infinity }, [2])).toEqual(close(1, -1));
    // q = 3/2: √|g| over (3^1.5 + 4^1.5)^(1/3)
    const third = (3 ** 1.5 + 8) ** (1 / 3);
    expect(await climb({ p: 3 }, [2])).toEqual(close(3 ** 0.5 / third, -2 / third));
    // T = (1.01, 0.51), Tg = (3.03, −2.04); T = 1 for a vector
    const long = Math.hypot(3.03, 2.04);
    const wanted = close((1.01 * 3.03) / long, (-0.51 * 2.04) / long);
    expect(await climb({ adaptive: true }, [1, 2])).toEqual(wanted);
    expect(await climb({ adaptive: true }, [2])).toEqual(close(0.6, -0.8));
    expect(await climb({ adaptive: true, p: 1 }, [1, 2])).toEqual(close(1.01, 0));
  });

  it.skipIf(missing !== null)('steps by hand as LookSAM', async () => {
    const data = Float32Array.of(0, 0);
    const w = { data, shape: [2] };
    const options = { rho: 0.1, every: 2, between: 'look', device } as const;
    const optimizer = sam({ w }, sgd({ lr: 1 }), options);
    const gradients = [
      [2, 0],
      [3, 5],
      [0, 3],
      [0, 2],
      [9, 2],
    ].map((g) => Float32Array.from(g));
    let calls = 0;
    const step = () =>
      optimizer.step(() => {
        calls += 1;
        return { loss: calls, grads: { w: gradients[calls - 1] } };
      });
    await step();
    expect([calls, ...data]).toEqual([2, -3, -5]);
    expect(optimizer.sharpness).toBe(1);
    // g_v = (3, 5) − (6/4)(2, 0) = (0, 5); g + 0.7 (3/5)(0, 5) = (0, 5.1)
    await step();
    expect([calls, ...data]).toEqual([3, -3, expect.closeTo(-10.1, 5)]);
    expect(optimizer.sharpness).toBeUndefined();
    await step();
    expect([calls, ...data]).toEqual([5, -12, expect.closeTo(-12.1, 5)]);
  });

  it.skipIf(missing !== null)('is its base to the bit between two climbs', async () => {
    const params = randomParams();
    const other = copyParams(params);
    const base = () => adamw({ lr: 0.1 });
    const optimizer = sam(params, base(), { rho: 0, every: 4, device });
    const alone = new BoundOptimizer(base(), other, { device });
    let calls = 0;
    for (let t = 0; t < 8; t++) {
      await optimizer.step(() => {
        calls += 1;
        return { loss: 0, grads: gradient(params) };
      });
      alone.step(gradient(other));
    }
    expect(calls).toBe(8 + 2);
    expect(bytesOf(params)).toBe(bytesOf(other));
  });

  it.skipIf(missing !== null).each([0, 1e-40, 1e-25, 1e25])(
    'stays finite as LookSAM with gradients of %f',
    async (size) => {
      const params = randomParams();
      const options = { every: 2, between: 'look', device } as const;
      const optimizer = sam(params, sgd({ lr: 1e-3 }), options);
      for (let t = 0; t < 4; t++) {
        await optimizer.step(() => ({ loss: 0, grads: constantGrads(params, size * (1 + t)) }));
      }
      for (const { data } of Object.values(params)) expect(data.every(Number.isFinite)).toBe(true);
    },
  );

  it.skipIf(missing !== null)('keeps what LookSAM found when a climb is skipped', async () => {
    const run = async (bad: boolean) => {
      const params = randomParams();
      const options = { rho: 0.1, every: 2, between: 'look', onNonFinite: 'skip', device } as const;
      const optimizer = sam(params, sgd({ lr: 0.1 }), options);
      const found: string[] = [];
      for (let t = 1; t <= 4; t++) {
        if (t === 3 && !bad) found.push(bytesOf(params));
        let calls = 0;
        await optimizer.step(() => {
          calls += 1;
          const grads = gradient(params);
          if (t === 3 && bad && calls === 2) grads.vector[3] = NaN;
          return { loss: 0, grads };
        });
        if (t === 3 && bad) found.push(bytesOf(params));
      }
      return { found, last: bytesOf(params) };
    };
    const { found, last } = await run(true);
    expect(found).toEqual((await run(false)).found);
    // A NaN in what was kept would have the next step skipped, too.
    expect(found).not.toContain(last);
  });

  it.skipIf(missing !== null).each(METHODS)(
    'is its base $name to the bit when ρ = 0',
    async ({ bind }) => {
      const plain = randomParams();
      const other = copyParams(plain);
      const alone = bind(other, 0.02, { device });
      const base = sam(plain, alone.optimizer, { rho: 0, device });
      for (let t = 1; t <= 12; t++) {
        await base.step(async () => ({ loss: 0, grads: gradient(plain) }));
        await alone.step(async () => ({ loss: 0, grads: gradient(other) }));
        expect(bytesOf(plain)).toBe(bytesOf(other));
      }
    },
  );

  const fixed = (rho = 0.1, onNonFinite: NonFinitePolicy = 'throw') => {
    const params = randomParams();
    params.matrix.data[0] = -0;
    params.matrix.data[1] = 1e-42;
    const before = bytesOf(params);
    const optimizer = sam(params, adamw({ lr: 0.1 }), { rho, onNonFinite, device });
    return { params, before, optimizer };
  };

  it.skipIf(missing !== null)('restores θ to the bit', async () => {
    const params = randomParams();
    params.matrix.data[0] = -0;
    params.matrix.data[1] = 1e-42;
    const before = bytesOf(params);
    let perturbed = '';
    await sam(params, sgd({ lr: 0 }), { rho: 1e3, device }).step(() => {
      perturbed = bytesOf(params);
      return { loss: 0, grads: gradient(params) };
    });
    expect(perturbed).not.toBe(before);
    // θ − 0·g̃: every bit but the sign of −0 could only come from θ itself.
    expect(bytesOf(params).replace(/^matrix:00000000/, 'matrix:00000080')).toBe(before);
  });

  it.skipIf(missing !== null)('restores θ when the closure throws, at either point', async () => {
    for (const failing of [1, 2]) {
      const { params, before, optimizer } = fixed();
      let calls = 0;
      const step = optimizer.step(() => {
        calls += 1;
        if (calls === failing) throw new RangeError('no gradient today');
        return { loss: 0, grads: gradient(params) };
      });
      await expect(step).rejects.toThrow(new RangeError('no gradient today'));
      expect(bytesOf(params)).toBe(before);
      // The failed step leaves no trace: the next is step 1.
      const { params: fresh, optimizer: other } = fixed();
      await optimizer.step(() => ({ loss: 0, grads: gradient(params) }));
      await other.step(() => ({ loss: 0, grads: gradient(fresh) }));
      expect(bytesOf(params)).toBe(bytesOf(fresh));
    }
  });

  it.skipIf(missing !== null)('restores θ when the second gradient does not fit', async () => {
    const { params, before, optimizer } = fixed();
    let calls = 0;
    const step = optimizer.step(() => {
      calls += 1;
      const grads = gradient(params);
      return { loss: 0, grads: calls === 1 ? grads : { ...grads, vector: new Float32Array(3) } };
    });
    await expect(step).rejects.toMatchObject({ code: 'FLATMIN_ARGUMENT' });
    expect(bytesOf(params)).toBe(before);
  });

  /** A closure whose gradient number `bad` has a NaN in `vector`. */
  const poisoned = (params: Params, bad: number) => {
    let calls = 0;
    return () => {
      calls += 1;
      const grads = gradient(params);
      if (calls === bad) grads.vector[3] = NaN;
      else for (const g of Object.values(grads)) g.fill(0.5);
      return { loss: 0, grads };
    };
  };

  it.skipIf(missing !== null).each([1, 2])('throws when gradient %i is NaN', async (bad) => {
    const { params, before, optimizer } = fixed();
    const error = await optimizer.step(poisoned(params, bad)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(FlatminError);
    expect(error).toMatchObject({
      code: 'FLATMIN_NUMERICS',
      message: expect.stringContaining('The gradient of "vector" is not finite at step 1.'),
    });
    expect(bytesOf(params)).toBe(before);
  });

  it.skipIf(missing !== null).each([1, 2])('skips when gradient %i is NaN', async (bad) => {
    const { params, before, optimizer } = fixed(0.1, 'skip');
    await optimizer.step(poisoned(params, bad));
    expect(bytesOf(params)).toBe(before);
    // The base has not counted the step: its next is AdamW's first, of length lr.
    const { params: fresh, optimizer: other } = fixed();
    await optimizer.step(() => ({ loss: 0, grads: gradient(params) }));
    await other.step(() => ({ loss: 0, grads: gradient(fresh) }));
    expect(bytesOf(params)).toBe(bytesOf(fresh));
  });

  it.skipIf(missing !== null)('forgets a skip when the same step then fails', async () => {
    const { params, optimizer } = fixed(0.1, 'skip');
    const closure = poisoned(params, 1);
    let calls = 0;
    const failing = optimizer.step(() => {
      calls += 1;
      if (calls === 2) throw new RangeError('no gradient today');
      return closure();
    });
    await expect(failing).rejects.toThrow('no gradient today');
    const { params: fresh, optimizer: other } = fixed();
    await optimizer.step(() => ({ loss: 0, grads: gradient(params) }));
    await other.step(() => ({ loss: 0, grads: gradient(fresh) }));
    expect(bytesOf(params)).toBe(bytesOf(fresh));
  });

  it.skipIf(missing !== null)('lets a NaN through when told to', async () => {
    const { params, before, optimizer } = fixed(0.1, 'allow');
    await optimizer.step(poisoned(params, 2));
    expect(params.vector.data[3]).toBeNaN();
    expect(params.vector.data[2]).not.toBeNaN();
    expect(bytesOf(params)).not.toBe(before);
  });

  it.skipIf(missing !== null)('stays where it is when the gradient is 0', async () => {
    const { params, optimizer } = fixed();
    const seen = new Set<string>();
    await optimizer.step(() => {
      seen.add(bytesOf(params).replace(/^matrix:00000000/, 'matrix:00000080'));
      const zeros = Object.entries(params).map(
        ([name, { data }]) => [name, new Float32Array(data.length)] as const,
      );
      return { loss: 0, grads: Object.fromEntries(zeros) };
    });
    expect(seen.size).toBe(1);
    for (const { data } of Object.values(params)) expect(data.every(Number.isFinite)).toBe(true);
  });

  it.skipIf(missing !== null).each([1e-45, 1e-40, 1e-30, 1e-12, 1e18])(
    'takes its whole radius along gradients of %f',
    async (size) => {
      const data = new Float32Array(2);
      let far = 0;
      await sam({ w: { data, shape: [2] } }, sgd({ lr: 0 }), { rho: 1, device }).step(() => {
        far = Math.hypot(...data);
        return { loss: 0, grads: { w: Float32Array.of(size, 0) } };
      });
      expect(far).toBeCloseTo(1, 5);
    },
  );

  it.skipIf(missing !== null)('asks for a closure', () => {
    const { params, optimizer } = fixed();
    expect(() => optimizer.step(gradient(params))).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: sam needs the gradient at 2 points of each step. Help: call step(async () => ({ loss, grads })).]`,
    );
  });

  it.skipIf(missing !== null)('refuses a second step while one is in progress', async () => {
    const { params, optimizer } = fixed();
    const first = optimizer.step(async () => ({ loss: 0, grads: gradient(params) }));
    expect(() => optimizer.step(async () => ({ loss: 0, grads: gradient(params) }))).toThrow(
      expect.objectContaining({ code: 'FLATMIN_BUSY' }),
    );
    await first;
    await optimizer.step(async () => ({ loss: 0, grads: gradient(params) }));
  });
});

describe('sam', () => {
  it('expects a base', () => {
    expect(() => sam(undefined as never)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: sam expects a base optimizer, got undefined. Help: sam(lion({ lr }), options) or sam(params, lion({ lr }), options).]`,
    );
    expect(() => sam(randomParams(), undefined as never)).toThrow(
      expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }),
    );
  });
});
