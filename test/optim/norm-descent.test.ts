import { describe, expect, it } from 'vitest';
import { type NormDescentOptions, normDescent, type Params } from '../../src/index.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { normDescentOracle } from './oracles/norm-descent.ts';

type Options = Omit<NormDescentOptions, 'lr'>;

const VARIANTS: Options[] = (
  ['l2', 'linf', 'l1', 'frobenius', 'spectral', 'nuclear'] as const
).flatMap((norm) => [{ norm }, { norm, momentum: 0.9, scale: 'dual', weightDecay: 0.1 }]);

describe.each(devices)('normDescent on $title', ({ device, missing }) => {
  const moved = (options: Options, g: number[]) => {
    const data = new Float32Array(g.length);
    const optimizer = normDescent(
      { w: { data, shape: [g.length] } },
      { lr: 1, ...options, device },
    );
    optimizer.step({ w: Float32Array.from(g) });
    return [...data].map((v) => 0 - v);
  };

  it.skipIf(missing !== null)('takes a step by hand in every norm', () => {
    const g = [3, -4, 0];
    expect(moved({}, g)).toEqual([0.6, -0.8, 0].map(Math.fround));
    expect(moved({ norm: 'frobenius' }, g)).toEqual([0.6, -0.8, 0].map(Math.fround));
    expect(moved({ norm: 'linf' }, g)).toEqual([1, -1, 0]);
    expect(moved({ norm: 'l1' }, g)).toEqual([0, -1, 0]);
    expect(moved({ norm: 'l1' }, [1, 2, -2])).toEqual([0, 1, 0]);
    expect(moved({ scale: 'dual' }, g)).toEqual(g);
    expect(moved({ norm: 'linf', scale: 'dual' }, g)).toEqual([7, -7, 0]);
    expect(moved({ norm: 'l1', scale: 'dual' }, g)).toEqual([0, -4, 0]);
    expect(moved({ norm: 'l1', scale: 'dual', momentum: 0.5 }, g)).toEqual([0, -2, 0]);
  });

  it.skipIf(missing !== null)('takes a step by hand in the norms of matrices', () => {
    // [[0, 3], [−2, 0]] has the singular values 3 and 2.
    const stepped = (options: Options) => {
      const data = new Float32Array(4);
      const optimizer = normDescent({ w: { data, shape: [2, 2] } }, { lr: 1, ...options, device });
      optimizer.step({ w: Float32Array.of(0, 3, -2, 0) });
      return [...data].map((v) => 0 - v);
    };
    expect(stepped({ norm: 'spectral' })).toEqual([0, 1, -1, 0]);
    expect(stepped({ norm: 'nuclear' })).toEqual([0, 1, 0, 0]);
    expect(stepped({ norm: 'spectral', scale: 'dual' })).toEqual([0, 5, -5, 0]);
    expect(stepped({ norm: 'nuclear', scale: 'dual' })).toEqual([0, 3, 0, 0]);
  });

  it.skipIf(missing !== null)('only decays where the gradient is 0', () => {
    for (const { norm } of VARIANTS) {
      const data = Float32Array.of(1, -2, 0);
      const options = { lr: 0.25, norm, weightDecay: 0.5, device };
      normDescent({ w: { data, shape: [3] } }, options).step({ w: new Float32Array(3) });
      expect([...data]).toEqual([0.875, -1.75, 0]);
    }
  });

  it.skipIf(missing !== null)(
    'has steps of length 1 for the least and the greatest numbers',
    () => {
      for (const size of [1e-45, 1e-38, 1e38]) {
        expect(moved({}, [size, size])).toEqual([Math.SQRT1_2, Math.SQRT1_2].map(Math.fround));
      }
    },
  );

  it.skipIf(missing !== null).each(VARIANTS)(
    'follows its equations for 50 steps: %o',
    (options) => {
      const { momentum = 0 } = options;
      const bind = (params: Params) => normDescent(params, { lr: schedule(), ...options, device });
      const all = follow(bind, normDescentOracle(options));
      // A sign or the largest element may hang on a rounding error.
      const turned = outside(all);
      expect(turned.length).toBeLessThanOrEqual(
        momentum === 0 || !['linf', 'l1'].includes(options.norm as string) ? 0 : all.length / 50,
      );
    },
  );
});
