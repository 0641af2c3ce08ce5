import { describe, expect, it } from 'vitest';
import {
  type BoundOptimizer,
  type Grads,
  type LionKOptions,
  lion,
  lionK,
  muon,
  type Params,
  sgd,
} from '../../src/index.ts';
import { follow, outside, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { type Direction, directionOracle, GRADIENTS, ofMatrix } from './oracles/lion-k.ts';
import { exactFactor } from './oracles/polar.ts';
import { bytesOf, randomGrads, randomParams } from './tensors.ts';

const FUNCTIONS: { K: NonNullable<LionKOptions['K']>; gradient: Direction }[] = [
  { K: { kind: 'l1' }, gradient: GRADIENTS.l1() },
  { K: { kind: 'lp', p: 1.5 }, gradient: GRADIENTS.lp(1.5) },
  { K: { kind: 'lp', p: 3 }, gradient: GRADIENTS.lp(3) },
  { K: { kind: 'deadZone', e: 0.1 }, gradient: GRADIENTS.deadZone(0.1) },
  { K: { kind: 'huber', e: 0.1 }, gradient: GRADIENTS.huber(0.1) },
  { K: { kind: 'smooth', e: 0.1 }, gradient: GRADIENTS.smooth(0.1) },
  { K: { kind: 'largest', k: 3 }, gradient: GRADIENTS.largest(3) },
  { K: { kind: 'squared' }, gradient: GRADIENTS.squared() },
  { K: { kind: 'nuclear' }, gradient: ofMatrix(exactFactor) },
];

describe.each(devices)('lionK on $title', ({ device, missing }) => {
  const moved = (K: LionKOptions['K'], g: number[]) => {
    const data = new Float32Array(g.length);
    const optimizer = lionK(
      { w: { data, shape: [g.length] } },
      { lr: 1, K, betas: [0, 0], device },
    );
    optimizer.step({ w: Float32Array.from(g) });
    return [...data].map((v) => 0 - v);
  };

  it.skipIf(missing !== null)('takes a step by hand with every K', () => {
    expect(moved({ kind: 'l1' }, [3, -4, 0])).toEqual([1, -1, 0]);
    expect(moved({ kind: 'lp', p: 1 }, [3, -4, 0])).toEqual([1, -1, 0]);
    expect(moved({ kind: 'lp', p: 2 }, [3, -4, 0])).toEqual([0.6, -0.8, 0].map(Math.fround));
    expect(moved({ kind: 'deadZone', e: 3 }, [3, -4, 0])).toEqual([0, -1, 0]);
    expect(moved({ kind: 'huber', e: 4 }, [3, -8, 0])).toEqual([0.75, -1, 0]);
    expect(moved({ kind: 'smooth', e: 4 }, [3, -3, 0])).toEqual([0.6, -0.6, 0].map(Math.fround));
    expect(moved({ kind: 'largest', k: 2 }, [3, -4, 5])).toEqual([0, -1, 1]);
    expect(moved({ kind: 'largest', k: 9 }, [3, -4, 0])).toEqual([1, -1, 0]);
    expect(moved({ kind: 'squared' }, [3, -4, 0])).toEqual([3, -4, 0]);
    expect(moved({ kind: 'nuclear' }, [3, -4, 0])).toEqual([0.6, -0.8, 0].map(Math.fround));
  });

  it.skipIf(missing !== null)('gives ties among the largest to the lower index', () => {
    expect(moved({ kind: 'largest', k: 3 }, [1, -2, 2, 2, -3])).toEqual([0, -1, 1, 0, -1]);
    expect(moved({ kind: 'largest', k: 1 }, [0, -2, 2])).toEqual([0, -1, 0]);
  });

  it.skipIf(missing !== null)('stays within range for the least and the greatest numbers', () => {
    for (const size of [1e-45, 1e-38, 1e38]) {
      for (const p of [1.001, 2, 50]) {
        const u = moved({ kind: 'lp', p }, [size, -size]);
        const share = 2 ** (1 / p - 1);
        expect(u).toEqual([expect.closeTo(share, 6), expect.closeTo(-share, 6)]);
      }
      expect(moved({ kind: 'smooth', e: 1e-30 }, [1e38])).toEqual([1]);
    }
  });

  it.skipIf(missing !== null).each(FUNCTIONS)(
    'follows its equations for 50 steps: $K',
    ({ K, gradient }) => {
      const options = { betas: [0.8, 0.95] as [number, number], weightDecay: 0.2 };
      const bind = (params: Params) => lionK(params, { lr: schedule(), K, ...options, device });
      const all = follow(bind, directionOracle(gradient, options));
      // A sign, or a place among the largest, may turn where it hangs on a rounding error.
      const turned = outside(all);
      const smooth =
        ['huber', 'smooth', 'squared', 'nuclear'].includes(K.kind) || (K.kind === 'lp' && K.p > 2);
      expect(turned.length).toBeLessThanOrEqual(smooth ? 0 : all.length / 50);
    },
  );

  it.skipIf(missing !== null)('is Lion for the 1-norm, bit for bit', () => {
    const run = (make: (params: Params) => BoundOptimizer) => {
      const params = randomParams();
      const optimizer = make(params);
      for (let t = 1; t < 20; t++) optimizer.step(randomGrads(t));
      return bytesOf(params);
    };
    const options = { lr: 0.01, weightDecay: 0.1, device };
    expect(run((params) => lionK(params, options))).toBe(run((params) => lion(params, options)));
  });

  /** Parameters after the steps of Lion-K with β = (μ², μ), and of SGD at (1 − μ) times its rate. */
  function besideNesterov(mu: number, lr: number, start: () => Params, grads: readonly Grads[]) {
    const [ours, theirs] = [start(), start()];
    const K = { kind: 'squared' as const };
    const lionized = lionK(ours, { lr, K, betas: [mu ** 2, mu], device });
    const nesterov = sgd(theirs, { lr: lr * (1 - mu), momentum: mu, nesterov: true, device });
    for (const g of grads) {
      lionized.step(g);
      nesterov.step(g);
    }
    return { ours, theirs };
  }

  it.skipIf(missing !== null)(
    'is (1 − μ) times Nesterov’s direction for ½‖·‖² and β = (μ², μ), bit for bit where nothing rounds',
    () => {
      // Multiples of 1/8 below 1 and μ = 1/2: step t adds multiples of 2^(−6 − 2 − t), within 24 bits of a number below 4.
      const eighths = (data: Float32Array) => data.map((x) => Math.round(8 * x) / 8);
      const start = () =>
        Object.fromEntries(
          Object.entries(randomParams()).map(([name, { data, shape }]) => [
            name,
            { data: eighths(data), shape },
          ]),
        );
      const grads = Array.from({ length: 10 }, (_, t) =>
        Object.fromEntries(
          Object.entries(randomGrads(t + 1)).map(([name, g]) => [name, eighths(g as Float32Array)]),
        ),
      );
      const { ours, theirs } = besideNesterov(0.5, 1 / 8, start, grads);
      expect(bytesOf(ours)).toBe(bytesOf(theirs));
      expect(bytesOf(ours)).not.toBe(bytesOf(start()));
    },
  );

  it.skipIf(missing !== null).each([0.3, 0.9, 0.99])(
    'is so but for rounding for any μ: %f',
    (mu) => {
      const grads = Array.from({ length: 29 }, (_, t) => randomGrads(t + 1));
      const { ours, theirs } = besideNesterov(mu, 0.01, randomParams, grads);
      for (const [name, { data }] of Object.entries(ours)) {
        for (const [i, v] of data.entries()) expect(v).toBeCloseTo(theirs[name].data[i], 6);
      }
    },
  );

  it.skipIf(missing !== null).each(['exact', 'newton-schulz', 'polar-express'] as const)(
    'moves in Muon’s direction for the nuclear norm and β = (μ², μ), %s',
    (method) => {
      const mu = 0.9;
      const shapes = { tall: [6, 3], wide: [2, 5], square: [4, 4], kernel: [3, 2, 2, 2] };
      const a = randomParams(shapes);
      const b = randomParams(shapes);
      const K = { kind: 'nuclear' as const, method };
      const ours = lionK(a, { lr: 0.01, K, betas: [mu ** 2, mu], device });
      // Muon's scale makes a tall matrix's step longer; AdamW's is 0.2√max(rows, cols) of every shape.
      const theirs = muon(b, { lr: 0.01, momentum: mu, scale: 'match-rms-adamw', method, device });
      const start = randomParams(shapes);
      ours.step(randomGrads(1, shapes));
      theirs.step(randomGrads(1, shapes));
      for (const [name, [rows, ...others]] of Object.entries(shapes)) {
        const columns = others.reduce((n, d) => n * d, 1);
        const scale = 0.2 * Math.sqrt(Math.max(rows, columns));
        a[name].data.forEach((v, i) => {
          const from = start[name].data[i];
          expect((v - from) * scale).toBeCloseTo(b[name].data[i] - from, 6);
        });
      }
    },
  );

  it.skipIf(missing !== null)('shrinks what is outside the box |λθ| ≤ 1 by 1 − ηλ a step', () => {
    const [lr, weightDecay] = [0.125, 0.5];
    const data = Float32Array.of(9, -7, 2.5, 1, -300);
    const optimizer = lionK({ w: { data, shape: [5] } }, { lr, weightDecay, device });
    for (let t = 1; t <= 40; t++) {
      const before = data.map((v) => Math.max(Math.abs(v) - 1 / weightDecay, 0));
      optimizer.step({ w: randomGrads(t, { w: [5] }).w });
      data.forEach((v, i) => {
        const excess = Math.max(Math.abs(v) - 1 / weightDecay, 0);
        expect(excess).toBeLessThanOrEqual(before[i] * (1 - lr * weightDecay) + 1e-6 * Math.abs(v));
      });
    }
  });

  it.skipIf(missing !== null)('never raises its Lyapunov function, in steps near the flow', () => {
    // γ = α = (1 − β₂)/η, εγ = 1 − β₁; m in the descent sign is −m here.
    const [lr, lambda, e, betas] = [1e-3, 0.25, 0.3, [0.99, 0.999] as [number, number]];
    const gamma = (1 - betas[1]) / lr;
    const epsilon = (1 - betas[0]) / gamma;
    const curvatures = [10, 4];
    const targets = [0.5, -0.3];
    const data = Float32Array.of(-1.8, 1.2);
    const gradient = () => data.map((x, i) => curvatures[i] * (x - targets[i]));
    const optimizer = lionK(
      { w: { data, shape: [2] } },
      { lr, weightDecay: lambda, betas, K: { kind: 'smooth', e }, device },
    );
    const sum = (f: (i: number) => number) => curvatures.reduce((total, _, i) => total + f(i), 0);
    const lossOf = () => sum((i) => 0.5 * curvatures[i] * (data[i] - targets[i]) ** 2);
    const lyapunov = () => {
      const m = Object.values(optimizer.stateDict()).find((x) => x.data.length === data.length);
      const conjugate = sum((i) => -e * Math.sqrt(Math.max(0, 1 - (lambda * data[i]) ** 2)));
      const rest = sum((i) => {
        const descent = -Number(m?.data[i] ?? 0);
        return Math.hypot(descent, e) - lambda * descent * data[i];
      });
      const weight = (1 - epsilon * gamma) / (1 + epsilon * lambda);
      return gamma * lossOf() + (gamma / lambda) * conjugate + weight * (conjugate + rest);
    };
    const [heights, losses]: number[][] = [[], []];
    for (let t = 0; t < 6000; t++) {
      optimizer.step({ w: gradient() });
      if (t % 20 !== 0) continue;
      heights.push(lyapunov());
      losses.push(lossOf());
    }
    heights.slice(1).forEach((h, i) => {
      expect(h, `after ${20 * (i + 1)} steps`).toBeLessThan(heights[i]);
    });
    // The loss alone does rise.
    expect(losses.slice(1).some((f, i) => f > losses[i] + 0.01)).toBe(true);
  });
});
