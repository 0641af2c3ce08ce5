/** Products with curvature against closed forms and dense Hessians in float64 that share nothing with them. */
import { describe, expect, it } from 'vitest';
import {
  type Dataset,
  fit,
  linear,
  type RegressionDataset,
  sequential,
  sgd,
  squaredError,
  tanh,
} from '../../src/index.ts';
import { random } from '../conformance/data.ts';
import { present } from '../optim/devices.ts';

const [ROWS, FEATURES, HIDDEN, CLASSES] = [700, 3, 4, 3];
const inputs = { data: random(ROWS * FEATURES, { seed: 1 }), shape: [FEATURES] };
const targets = { data: random(ROWS, { seed: 2 }), shape: [1] };
/** Not all the same, so that means of batches are not the mean of all. */
const weights = Float32Array.from({ length: ROWS }, (_, i) => 1 + (i % 3));

const numbers: RegressionDataset = {
  name: 'numbers',
  synthetic: true,
  inputs,
  targets,
  weights,
  count: ROWS,
};
const classes: Dataset = {
  name: 'classes',
  synthetic: true,
  inputs,
  labels: Int32Array.from({ length: ROWS }, (_, i) => (i * 7) % CLASSES),
  weights,
  classes: CLASSES,
  count: ROWS,
};

/** Σ w (x, 1)(x, 1)ᵀ / Σ w: of ½ (a·x + b − y)². */
function quadratic(): number[][] {
  const n = FEATURES + 1;
  const h = Array.from({ length: n }, () => Array<number>(n).fill(0));
  const total = weights.reduce((a, b) => a + b, 0);
  for (let r = 0; r < ROWS; r++) {
    const x = [...inputs.data.subarray(r * FEATURES, (r + 1) * FEATURES), 1];
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) h[i][j] += (weights[r] * x[i] * x[j]) / total;
  }
  return h;
}

/** The loss of linear, tanh, linear under softmax, in float64, at parameters one after the other. */
function lossAt(theta: Float64Array): number {
  const sizes = [FEATURES * HIDDEN, HIDDEN, HIDDEN * CLASSES, CLASSES];
  let begin = 0;
  const [w1, b1, w2, b2] = sizes.map((size) => {
    begin += size;
    return theta.subarray(begin - size, begin);
  });
  let [sum, total] = [0, 0];
  for (let r = 0; r < ROWS; r++) {
    const units = Array.from({ length: HIDDEN }, (_, k) => {
      let z = b1[k];
      for (let i = 0; i < FEATURES; i++) z += w1[k * FEATURES + i] * inputs.data[r * FEATURES + i];
      return Math.tanh(z);
    });
    const logits = Array.from({ length: CLASSES }, (_, c) =>
      units.reduce((z, h, k) => z + w2[c * HIDDEN + k] * h, b2[c]),
    );
    const log = Math.log(logits.reduce((s, z) => s + Math.exp(z), 0));
    sum += weights[r] * (log - logits[classes.labels[r]]);
    total += weights[r];
  }
  return sum / total;
}

/** By central differences of the loss in float64, good to about 1e-7. */
function dense(theta: Float64Array): number[][] {
  const h = 1e-4;
  const at = (...moves: [number, number][]) => {
    const moved = theta.slice();
    for (const [i, by] of moves) moved[i] += by;
    return lossAt(moved);
  };
  return Array.from(theta, (_, i) =>
    Array.from(theta, (_, j) => {
      const [pp, pm] = [at([i, h], [j, h]), at([i, h], [j, -h])];
      const [mp, mm] = [at([i, -h], [j, h]), at([i, -h], [j, -h])];
      return (pp - pm - mp + mm) / (4 * h * h);
    }),
  );
}

const times = (a: readonly number[][], v: ArrayLike<number>): number[] =>
  a.map((row) => row.reduce((s, x, j) => s + x * v[j], 0));
const traceOf = (a: readonly number[][]): number => a.reduce((s, row, i) => s + row[i], 0);
const expectClose = (a: ArrayLike<number>, b: ArrayLike<number>, tolerance = 1e-4) => {
  for (let i = 0; i < b.length; i++) expect(Math.abs(a[i] - b[i]), `${i}`).toBeLessThan(tolerance);
};

describe.each(present)('curvature on %s', (device) => {
  const options = { epochs: 2, batch: 50, device, seed: 1 } as const;
  const line = () =>
    fit(
      sequential(linear(1)),
      { train: numbers },
      {
        ...options,
        optimizer: sgd({ lr: 0.1 }),
        loss: squaredError(),
      },
    );
  const network = () =>
    fit(
      sequential(linear(HIDDEN), tanh(), linear(CLASSES)),
      { train: classes },
      {
        ...options,
        optimizer: sgd({ lr: 0.5 }),
      },
    );

  it('of a quadratic is its matrix', async () => {
    const { model } = await line();
    const curvature = model.curvature(numbers);
    const h = quadratic();
    for (let i = 0; i < curvature.size; i++) {
      const e = Float64Array.from({ length: curvature.size }, (_, j) => Number(i === j));
      expectClose(await curvature.hessianProduct(e), h[i], 1e-5);
      expectClose(await curvature.gaussNewtonProduct(e), h[i], 1e-5);
    }
    const pairs = await curvature.eigenvalues(4);
    for (const { value, vector } of pairs) {
      expectClose(
        times(h, vector),
        vector.map((x) => x * value),
      );
    }
    expect(pairs.reduce((s, { value }) => s + value, 0)).toBeCloseTo(traceOf(h), 4);
    const { values, weights } = await curvature.density({ probes: 4, products: 4 });
    expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 8);
    expect(values[0]).toBeCloseTo(pairs[3].value, 4);
    expect(values[values.length - 1]).toBeCloseTo(pairs[0].value, 4);
  });

  it('of a network is its dense Hessian', async () => {
    const { model } = await network();
    const theta = Float64Array.from(
      Object.values(model.parameters()).flatMap(({ data }) => [...data]),
    );
    const h = dense(theta);
    const curvature = model.curvature(classes);
    const { loss, gradient } = await curvature.gradient();
    expect(loss).toBeCloseTo(lossAt(theta), 5);
    const step = 1e-5;
    const slopes = theta.map((_, i) => {
      const moved = (by: number) => lossAt(theta.map((x, k) => (k === i ? x + by : x)));
      return (moved(step) - moved(-step)) / (2 * step);
    });
    expectClose(gradient, slopes, 1e-5);
    const v = random(curvature.size, { seed: 5 });
    expectClose(await curvature.hessianProduct(v), times(h, v));

    const pairs = await curvature.eigenvalues(3, { tolerance: 1e-6 });
    for (const { value, vector } of pairs) {
      expectClose(
        times(h, vector),
        vector.map((x) => x * value),
      );
    }
    const trace = await curvature.trace({ probes: 400 });
    expect(Math.abs(trace.value - traceOf(h))).toBeLessThan(5 * trace.error);
    const diagonal = await curvature.diagonal({ probes: 400 });
    h.forEach((row, i) => {
      const bound = 6 * diagonal.errors[i] + 1e-4;
      expect(Math.abs(diagonal.values[i] - row[i])).toBeLessThan(bound);
    });
    const { values, weights } = await curvature.density({ probes: 200, products: 25 });
    const mean = values.reduce((s, x, i) => s + x * weights[i], 0) * curvature.size;
    expect(Math.abs(mean - traceOf(h))).toBeLessThan(0.1 * Math.abs(traceOf(h)));
  });

  it('gives the sharpness, and leaves the model as it was', async () => {
    const { model } = await network();
    const before = model.parameters();
    const theta = Float64Array.from(Object.values(before).flatMap(({ data }) => [...data]));
    const curvature = model.curvature(classes);
    const { gradient } = await curvature.gradient();
    const moved = (scale: (i: number) => number, rho: number) => {
      const length = Math.hypot(...gradient.map((g, i) => g * scale(i)));
      return (
        lossAt(theta.map((x, i) => x + (rho * scale(i) ** 2 * gradient[i]) / length)) -
        lossAt(theta)
      );
    };
    expect(await curvature.sharpness({ rho: 0.5 })).toBeCloseTo(
      moved(() => 1, 0.5),
      5,
    );
    const adaptive = await curvature.sharpness({ rho: 0.5, adaptive: true });
    expect(adaptive).toBeCloseTo(
      moved((i) => Math.abs(theta[i]), 0.5),
      5,
    );
    expect(model.parameters()).toEqual(before);
  });

  it('of a sample is that of its rows', async () => {
    const { model } = await line();
    const curvature = model.curvature(numbers, { rows: ROWS });
    const few = model.curvature(numbers, { rows: 5, seed: 3 });
    const e = [0, 0, 0, 1];
    expect((await curvature.hessianProduct(e))[3]).toBeCloseTo(1, 5);
    expect((await few.hessianProduct(e))[3]).toBeCloseTo(1, 5);
    const again = model.curvature(numbers, { rows: 5, seed: 3 });
    expect(await again.hessianProduct(e)).toEqual(await few.hessianProduct(e));
    expect(() => model.curvature(numbers, { rows: ROWS + 1 })).toThrow(/701 rows were asked for/);
    await expect(curvature.hessianProduct([1, 2])).rejects.toThrow(
      /must be 4 numbers, one for each/,
    );
    await expect(curvature.eigenvalues(0)).rejects.toThrow(/count of eigenvalues must be a whole/);
    await expect(curvature.sharpness({ rho: -1 })).rejects.toThrow(/rho of sharpness must be/);
  });
});
