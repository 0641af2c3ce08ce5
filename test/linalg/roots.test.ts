/** Roots of many kinds of matrices: right by a measure of their own, or flagged, never silently wrong. */
import { describe, expect, it } from 'vitest';
import { inverseRoot, type MatrixTensor } from '../../src/index.ts';
import { devices } from '../optim/devices.ts';
import {
  combinations,
  exactRoot,
  isByNewton,
  METHODS,
  relativeError,
  toleranceOf,
} from './exact-roots.ts';
import {
  columnOfSecondDifference,
  diagonal,
  hilbert,
  identity,
  logSpectrum,
  ofSecondDifference,
  secondDifference,
  withSpectrum,
} from './matrices.ts';

const matrix = (data: ArrayLike<number>): MatrixTensor => {
  const n = Math.round(Math.sqrt(data.length));
  return { data: Float32Array.from(data), shape: [n, n] };
};

describe.each(devices)('roots on $title', ({ device, missing }) => {
  const here = it.skipIf(missing !== null);
  const rootOf = (data: ArrayLike<number>, options: Parameters<typeof inverseRoot>[1]) =>
    inverseRoot(matrix(data), { ...options, device });

  here.each(combinations)('of the second difference, p = $p by $method', ({ p, method }) => {
    for (const n of [1, 2, 3, 15, 16, 17, 33, 64]) {
      const { root, converged } = rootOf(secondDifference(n), { p, method, ridge: 0 });
      expect(converged).toBe(true);
      const exact = ofSecondDifference(n, (x) => x ** (-1 / p));
      // Newton in float32 stops at 1e-6, which condition n² makes larger; eigh rounds once.
      const tolerance = isByNewton({ p, method }) ? 3e-7 * (10 + n * n) : 2e-7;
      expect(relativeError(root.data, exact), `n = ${n}`).toBeLessThan(tolerance);
    }
  });

  const conditioned = [1e2, 1e4, 1e6, 1e8, 1e10].flatMap((condition) =>
    combinations.map((c) => ({ condition, ...c })),
  );
  here.each(conditioned)('condition $condition, p = $p by $method', ({ condition, ...c }) => {
    for (const n of [2, 13, 24]) {
      const a = matrix(withSpectrum(logSpectrum(n, condition)));
      const { root, residual, converged } = inverseRoot(a, { ...c, device });
      expect(converged, `n = ${n}`).toBe(true);
      expect(residual).toBeLessThan(0.1);
      const exact = exactRoot(a.data, c, 1e-6);
      const error = relativeError(root.data, exact.root);
      expect(error, `n = ${n}`).toBeLessThan(toleranceOf(c, exact.condition));
    }
  });

  here.each(combinations)('without a ridge right or flagged, p = $p by $method', (c) => {
    const verdicts = [1e2, 1e4, 1e6, 1e8, 1e10].map((condition) => {
      const a = matrix(withSpectrum(logSpectrum(12, condition)));
      const { root, converged } = inverseRoot(a, { ...c, ridge: 0, device });
      if (!converged) {
        expect(root.data.every(Number.isNaN)).toBe(true);
        return false;
      }
      const exact = exactRoot(a.data, c, 0);
      const error = relativeError(root.data, exact.root);
      expect(error, `condition ${condition}`).toBeLessThan(toleranceOf(c, exact.condition));
      return true;
    });
    expect(verdicts.slice(0, 3)).toEqual([true, true, true]);
  });

  here.each(combinations)('of rank one, p = $p by $method', ({ p, method }) => {
    const ones = new Float32Array(36).fill(1);
    const { root, converged } = rootOf(ones, { p, method });
    expect(converged).toBe(true);
    const along = (6 * (1 + 1e-6)) ** (-1 / p);
    const across = 6e-6 ** (-1 / p);
    const exact = identity(6).map((x) => x * across + (along - across) / 6);
    expect(relativeError(root.data, exact)).toBeLessThan(toleranceOf({ p, method }));
    const singular = rootOf(ones, { p, method, ridge: 0 });
    expect(singular.converged).toBe(false);
    expect(singular.root.data.every(Number.isNaN)).toBe(true);
  });

  here.each(combinations)('Hilbert, zero and 1 × 1, p = $p by $method', ({ p, method }) => {
    const { root, converged, residual } = rootOf(hilbert(10), { p, method });
    expect(converged).toBe(true);
    expect(residual).toBeLessThan(0.1);
    const exact = exactRoot(matrix(hilbert(10)).data, { p, method }, 1e-6);
    expect(relativeError(root.data, exact.root)).toBeLessThan(toleranceOf({ p, method }));
    const zero = rootOf(new Float32Array(9), { p, method });
    expect(zero.converged).toBe(false);
    expect(zero.residual).toBe(Infinity);
    const one = rootOf([16], { p, method, ridge: 0 });
    expect(one.converged).toBe(true);
    expect(one.root.data[0] / 16 ** (-1 / p)).toBeCloseTo(1, 5);
    expect(rootOf([-16], { p, method }).converged).toBe(false);
  });

  here.each(METHODS)('extreme scales are right or flagged: %s', (method) => {
    for (const scale of [1e-38, 1e-30, 1e-12, 1e12, 1e30, 1e38]) {
      const a = diagonal([1, 0.5, 0.25]).map((x) => x * scale);
      const { root, converged } = rootOf(a, { p: 4, method, ridge: 0 });
      if (!converged) continue;
      [1, 0.5, 0.25].forEach((x, i) => {
        expect(root.data[4 * i] / Math.fround(x * scale) ** -0.25).toBeCloseTo(1, 4);
      });
    }
    expect(rootOf([1e12], { p: 4, method, ridge: 0 }).converged).toBe(true);
  });

  here('what is not finite or not symmetric is an error', () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      expect(() => rootOf([1, bad, bad, 1], { p: 2 })).toThrow(/finite entries/);
    }
    expect(() => rootOf([1, 0.5, 0, 1], { p: 2 })).toThrow(/symmetric/);
  });

  here.each(device === 'js' ? [64] : [128, 256])('of order %i by Newton’s method', (n) => {
    const a = matrix(withSpectrum(logSpectrum(n, 1e4)));
    const { root, converged, residual } = inverseRoot(a, { p: 4, method: 'newton', device });
    expect(converged).toBe(true);
    expect(residual).toBeLessThan(0.1);
    const exact = inverseRoot(a, { p: 4, method: 'eigh', device });
    expect(relativeError(root.data, exact.root.data)).toBeLessThan(1e-3);
  });

  here.each(device === 'js' ? [128] : [128, 255, 512, 1024])('of order %i', (n) => {
    const { root, converged, residual } = rootOf(secondDifference(n), { p: 4, ridge: 0 });
    expect(converged).toBe(true);
    expect(residual).toBeLessThan(1e-9);
    for (const j of [0, n / 3, n - 1].map(Math.floor)) {
      const exact = columnOfSecondDifference(n, j, (x) => x ** -0.25);
      expect(relativeError(root.data.subarray(j * n, (j + 1) * n), exact)).toBeLessThan(2e-7);
    }
  });
});

const [, cpu] = devices;
it.skipIf(cpu.missing !== null).each(METHODS)(
  `on ${cpu.title}, roots are the same to the bit for any number of threads: %s`,
  (method) => {
    // One matrix on all threads, matrices beside each other, and one that is left over.
    for (const [count, n] of [
      [1, 200],
      [2, 130],
      [5, 130],
      [9, 20],
    ]) {
      const one = secondDifference(n);
      const data = Float32Array.from(
        { length: count * n * n },
        (_, i) => one[i % (n * n)] * (1 + Math.floor(i / (n * n))),
      );
      const [single, ...others] = [1, 2, 4].map((threads) => {
        const batch = { data, shape: [count, n, n] as const };
        return inverseRoot(batch, { p: 4, ridge: 0, method, device: 'cpu', threads });
      });
      expect(single.converged.every(Boolean)).toBe(true);
      for (const other of others) expect(other).toEqual(single);
    }
  },
);
