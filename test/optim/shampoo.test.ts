import { describe, expect, it } from 'vitest';
import {
  adagrad,
  adam,
  adamw,
  FlatminError,
  type Params,
  rmsprop,
  type ShampooOptions,
  sgd,
  shampoo,
} from '../../src/index.ts';
import { follow, STEPS, schedule } from './agreement.ts';
import { devices } from './devices.ts';
import { multiply, type Rows, transpose } from './oracles/matrix.ts';
import { shampooOracle } from './oracles/shampoo.ts';
import { bytesOf, constantGrads, copyParams, randomGrads, randomParams } from './tensors.ts';

type Variant = Omit<ShampooOptions, 'lr'>;

const VARIANTS: Variant[] = [
  { epsilon: 0.1 },
  { epsilon: 0.1, mergeDims: false },
  { epsilon: 0.1, weightDecay: 0.1, momentum: 0.9, rootsEvery: 3 },
  { epsilon: 0.1, momentum: 0.9, nesterov: true, statisticsEvery: 3 },
  { epsilon: 0.05, beta: 0.9, weightDecay: 0.1 },
  { epsilon: 0.05, beta: 0.9, statisticsEvery: 4, rootsEvery: 7, mergeDims: false },
  { epsilon: 0.1, ridge: 0.01 },
  { epsilon: 0.1, rootMethod: 'newton' },
  { epsilon: 0.1, rootMethod: 'warm', rootsEvery: 3 },
  { epsilon: 0.05, beta: 0.9, rootMethod: 'warm', blockSize: 3, exponentOverride: 2.5 },
  { epsilon: 0.1, blockSize: 3 },
  { epsilon: 0.1, blockSize: 2, mergeDims: false, beta: 0.9, rootsEvery: 3 },
  { epsilon: 0.1, diagonalAbove: 2 },
  { epsilon: 0.05, beta: 0.9, diagonalAbove: 1, statisticsEvery: 2, rootsEvery: 3, graft: 'sgd' },
  { epsilon: 0.1, diagonalAbove: 1, momentum: 0.9, graft: 'adam', rootMethod: 'warm' },
  { epsilon: 0.1, vectors: 'diagonal' },
  { epsilon: 0.1, vectors: 'diagonal', beta: 0.95, graft: 'sgd' },
  { epsilon: 0.1, exponentOverride: 2.5 },
  { epsilon: 0.1, exponentOverride: 6, rootMethod: 'newton' },
  { epsilon: 0.1, graft: 'adagrad', momentum: 0.9, weightDecay: 0.1 },
  { epsilon: 0.1, graft: 'rmsprop', startStep: 8, nesterov: true, momentum: 0.8 },
  { epsilon: 0.1, graft: 'adam', startStep: 12, blockSize: 3, weightDecay: 0.1 },
  { epsilon: 0.1, startStep: 7, rootsEvery: 5, statisticsEvery: 5 },
];

const matrixOf = (data: Float32Array, columns: number): Rows =>
  Array.from({ length: data.length / columns }, (_, r) => [
    ...data.subarray(r * columns, (r + 1) * columns),
  ]);

describe.each(devices)('shampoo on $title', ({ device, missing }) => {
  const one = (data: Float32Array, shape: number[], options: Variant & { lr?: number } = {}) =>
    shampoo({ w: { data, shape } }, { lr: 1, ridge: 0, ...options, device });

  it.skipIf(missing !== null)('takes a step by hand', () => {
    // G = diag(4, 9): L = R = diag(16, 81), L^(−1/4) G R^(−1/4) = diag(4/(2·2), 9/(3·3)); with ε = 0
    const data = new Float32Array(4);
    const optimizer = one(data, [2, 2], { epsilon: 0 });
    optimizer.step({ w: Float32Array.of(4, 0, 0, 9) });
    [-1, 0, 0, -1].forEach((want, i) => {
      expect(data[i]).toBeCloseTo(want, 6);
    });
    // L = diag(16 + 9, 81 + 144) = diag(25, 225): 3/√25 and 12/√225 for each root's fourth
    optimizer.step({ w: Float32Array.of(3, 0, 0, 12) });
    [-1 - 3 / 5, 0, 0, -1 - 12 / 15].forEach((want, i) => {
      expect(data[i]).toBeCloseTo(want, 6);
    });
  });

  it.skipIf(missing !== null)('takes −1/2 for vectors and scalars', () => {
    const vector = new Float32Array(2);
    // L = εI + ggᵀ has the eigenvalue 25 + 11 along g = (3, 4).
    one(vector, [2], { epsilon: 11 }).step({ w: Float32Array.of(3, 4) });
    expect(vector[0]).toBeCloseTo(-0.5, 6);
    expect(vector[1]).toBeCloseTo(-4 / 6, 6);
    const scalar = new Float32Array(1);
    one(scalar, [], { epsilon: 0 }).step({ w: Float32Array.of(-3) });
    expect(scalar[0]).toBeCloseTo(1, 6);
  });

  it.skipIf(missing !== null)(
    'gives the polar factor of one well-conditioned gradient as ε → 0',
    () => {
      const g = Float32Array.of(2, 0.3, -0.4, 0.5, -1.5, 0.2, 0.1, 0.6, 1.8);
      const data = new Float32Array(9);
      one(data, [3, 3], { epsilon: 0 }).step({ w: g });
      const polar = matrixOf(
        data.map((x) => -x),
        3,
      );
      // Q is the polar factor of G: orthogonal, and QᵀG symmetric positive.
      multiply(transpose(polar), polar).forEach((row, i) => {
        row.forEach((x, j) => {
          expect(x).toBeCloseTo(i === j ? 1 : 0, 5);
        });
      });
      const stretch = multiply(transpose(polar), matrixOf(g, 3));
      expect(stretch[0][1]).toBeCloseTo(stretch[1][0], 5);
      expect(stretch[0][2]).toBeCloseTo(stretch[2][0], 5);
      expect(stretch[1][2]).toBeCloseTo(stretch[2][1], 5);
      expect(Math.min(...stretch.map((row, i) => row[i]))).toBeGreaterThan(1);
    },
  );

  it.skipIf(missing !== null).each(VARIANTS)(
    'follows its equations for 50 steps: %o',
    (options) => {
      const { rootMethod: _, ...equations } = options;
      const { step, tolerances, rootSteps } = shampooOracle(equations);
      const bind = (params: Params) => shampoo(params, { lr: schedule(), ...options, device });
      const all = follow(bind, step);
      for (const { name, index, got, want } of all) {
        const tolerance = tolerances.get(name) ?? 0;
        // A bound that is wide enough for a wrong exponent, ε or count would prove nothing.
        expect(tolerance).toBeLessThan(2e-3);
        const error = Math.abs(got - want);
        expect(error, `${name}[${index}]: ${got}, not ${want}`).toBeLessThanOrEqual(
          tolerance + 1e-6,
        );
      }
      expect(rootSteps[0]).toBe(options.startStep ?? 1);
      expect(rootSteps.length).toBeGreaterThan(STEPS / 10);
    },
  );

  it.skipIf(missing !== null)('cuts tensors into blocks', () => {
    const data = new Float32Array(6);
    const g = Float32Array.of(3, 0, 0, 0, 4, 5);
    one(data, [2, 3], { epsilon: 0, ridge: 0.5, blockSize: 1 }).step({ w: g });
    // Every element is a block: g / (1.5g²)^(1/4) twice; zeros have no root, and are not touched.
    [3, 0, 0, 0, 4, 5].forEach((x, i) => {
      expect(data[i]).toBeCloseTo(x === 0 ? 0 : -(1.5 ** -0.5), 5);
    });
  });

  it.skipIf(missing !== null)('takes diagonal statistics of vectors, as Adagrad does', () => {
    const data = new Float32Array(3);
    const optimizer = one(data, [3], { epsilon: 0.5, vectors: 'diagonal' });
    optimizer.step({ w: Float32Array.of(1, -2, 0) });
    [-1 / Math.sqrt(1.5), 2 / Math.sqrt(4.5), 0].forEach((want, i) => {
      expect(data[i]).toBeCloseTo(want, 6);
    });
  });

  const GRAFTS = {
    sgd: (params: Params, lr: number) => sgd(params, { lr, device }),
    adagrad: (params: Params, lr: number) => adagrad(params, { lr, device }),
    rmsprop: (params: Params, lr: number) => rmsprop(params, { lr, device }),
    adam: (params: Params, lr: number) => adam(params, { lr, device }),
  };
  const NAMES = ['sgd', 'adagrad', 'rmsprop', 'adam'] as const;

  it.skipIf(missing !== null).each(NAMES)('is %s to the bit before the start step', (graft) => {
    const [own, other] = [randomParams(), randomParams()];
    const optimizer = shampoo(own, { lr: 0.01, graft, startStep: 6, device });
    const grafted = GRAFTS[graft](other, 0.01);
    for (let t = 1; t <= 6; t++) {
      optimizer.step(randomGrads(t));
      grafted.step(randomGrads(t));
      expect(bytesOf(own) === bytesOf(other), `step ${t}`).toBe(t < 6);
    }
  });

  it.skipIf(missing !== null)('is decoupled-decayed AdamW, too', () => {
    const [own, other] = [randomParams(), randomParams()];
    const options = { lr: 0.01, weightDecay: 0.1, device };
    const optimizer = shampoo(own, { ...options, graft: 'adam', startStep: 9 });
    const grafted = adamw(other, options);
    for (let t = 1; t <= 8; t++) {
      optimizer.step(randomGrads(t));
      grafted.step(randomGrads(t));
    }
    expect(bytesOf(own)).toBe(bytesOf(other));
  });

  it.skipIf(missing !== null)('is SGD with its momentum, too', () => {
    const [own, other] = [randomParams(), randomParams()];
    const options = { lr: 0.01, momentum: 0.9, nesterov: true, device };
    const optimizer = shampoo(own, { ...options, graft: 'sgd', startStep: 9 });
    const grafted = sgd(other, options);
    for (let t = 1; t <= 8; t++) {
      optimizer.step(randomGrads(t));
      grafted.step(randomGrads(t));
    }
    expect(bytesOf(own)).toBe(bytesOf(other));
  });

  it.skipIf(missing !== null).each(NAMES)("has each tensor's norm of a step of %s", (graft) => {
    const [own, other] = [randomParams(), randomParams()];
    const [before, start] = [copyParams(own), copyParams(own)];
    shampoo(own, { lr: 1, graft, device }).step(randomGrads(1));
    GRAFTS[graft](other, 1).step(randomGrads(1));
    for (const name of Object.keys(own)) {
      const moved = (to: Params, from: Params) =>
        Math.hypot(...to[name].data.map((x, i) => x - from[name].data[i]));
      expect(moved(own, before) / (moved(other, start) || 1)).toBeCloseTo(
        own[name].data.length === 0 ? 0 : 1,
        5,
      );
    }
    expect(bytesOf(own)).not.toBe(bytesOf(other));
  });

  it.skipIf(missing !== null).each(NAMES)('stands still at a gradient of 0: %s', (graft) => {
    const params = randomParams();
    const before = bytesOf(params);
    const optimizer = shampoo(params, { lr: 1, graft, device });
    optimizer.step(constantGrads(params, 0));
    expect(bytesOf(params)).toBe(before);
  });

  it.skipIf(missing !== null)('keeps the last root when one fails, three times in a row', () => {
    const data = new Float32Array(4);
    // β = 0: the statistic is that of the last gradient alone.
    const optimizer = one(data, [2, 2], { epsilon: 0, beta: 0, rootsEvery: 1 });
    const step = (g: number[]) => {
      const before = [...data];
      optimizer.step({ w: Float32Array.of(...g) });
      return [...data].map((x, i) => before[i] - x);
    };
    const expectStep = (got: number[], want: number[]) => {
      got.forEach((x, i) => {
        expect(x).toBeCloseTo(want[i], 5);
      });
    };
    expectStep(step([4, 0, 0, 9]), [1, 0, 0, 1]);
    // Of rank one: no inverse root; that of diag(16, 81) stays, which divides by 4 and 9.
    expectStep(step([1, 0, 0, 0]), [1 / 4, 0, 0, 0]);
    expectStep(step([0, 0, 0, 3]), [0, 0, 0, 1 / 3]);
    // A good one in between ends the row.
    expectStep(step([2, 0, 0, 2]), [1, 0, 0, 1]);
    expectStep(step([1, 0, 0, 0]), [1 / 2, 0, 0, 0]);
    expectStep(step([1, 0, 0, 0]), [1 / 2, 0, 0, 0]);
    const before = [...data];
    let error: unknown;
    try {
      optimizer.step({ w: Float32Array.of(1, 0, 0, 0) });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FlatminError);
    expect((error as FlatminError).code).toBe('FLATMIN_NUMERICS');
    expect((error as FlatminError).message).toMatchInlineSnapshot(
      `"A matrix root or inverse of "w" failed three times in a row, last at step 7. Parameters are as before that step. Help: raise the method's epsilon, ridge or damping."`,
    );
    expect([...data]).toEqual(before);
  });

  it.skipIf(missing !== null)('names the tensor of a statistic that overflows', () => {
    const params = {
      fine: { data: new Float32Array(2), shape: [2] },
      large: { data: new Float32Array(2), shape: [2] },
    };
    // A gradient of this size is refused before its statistics are.
    const optimizer = shampoo(params, { lr: 1, device, onNonFinite: 'allow' });
    const grads = { fine: Float32Array.of(1, 2), large: Float32Array.of(1e20, 1) };
    expect(() => optimizer.step(grads)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: A matrix statistic of "large" is not finite at step 1. Parameters are as before that step. Help: squares of its gradients or inputs leave float32's range; scale the loss or the data.]`,
    );
    expect([...params.fine.data, ...params.large.data]).toEqual([0, 0, 0, 0]);
  });

  it.skipIf(missing !== null)('waits for its first statistic when steps are skipped', () => {
    const data = new Float32Array(1);
    const optimizer = shampoo(
      { w: { data, shape: [1] } },
      { lr: 1, beta: 0.9, statisticsEvery: 3, rootsEvery: 1, onNonFinite: 'skip', device },
    );
    for (let t = 1; t < 10; t++) optimizer.step({ w: Float32Array.of(NaN) });
    expect(data[0]).toBe(0);
    // Step 10 updates roots, not statistics: without any there is no preconditioning.
    optimizer.step({ w: Float32Array.of(2) });
    expect(data[0]).toBe(-2);
  });
});

const [, cpu] = devices;
it.skipIf(cpu.missing !== null).each(['eigh', 'warm'] as const)(
  'is the same to the bit for any number of threads: %s',
  (rootMethod) => {
    const shapes = { large: [150, 40], small: [3, 4], vector: [9] };
    const [one, ...others] = [1, 2, 4].map((threads) => {
      const params = randomParams(shapes);
      const options = { lr: 0.1, rootsEvery: 2, rootMethod, device: 'cpu', threads } as const;
      const optimizer = shampoo(params, options);
      for (let t = 1; t <= 4; t++) optimizer.step(randomGrads(t, shapes));
      return bytesOf(params);
    });
    for (const other of others) expect(other).toBe(one);
  },
);
