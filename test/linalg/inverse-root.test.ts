import { describe, expect, it } from 'vitest';
import { inverseRoot } from '../../src/linalg/inverse-root.ts';
import {
  diagonal,
  hilbert,
  identity,
  logSpectrum,
  maxDifference,
  ofSecondDifference,
  product,
  secondDifference,
  transpose,
  withSpectrum,
} from './matrices.ts';

function power(x: ArrayLike<number>, p: number, n: number): ArrayLike<number> {
  let out = x;
  for (let i = 1; i < p; i++) out = product(out, x, n);
  return out;
}

const methods = ['eigh', 'newton'] as const;

describe.each(methods)('inverseRoot by %s', (method) => {
  it.each([1, 2, 4, 6, 8])('second difference, p = %i', (p) => {
    const n = 18;
    const out = new Float64Array(n * n);
    const result = inverseRoot(secondDifference(n), n, p, out, { ridge: 0, method });
    expect(result.status).toBe('ok');
    expect(result.iterations > 0).toBe(method === 'newton');
    const expected = ofSecondDifference(n, (x) => x ** (-1 / p));
    expect(maxDifference(out, expected)).toBeLessThan(1e-5);
    const back = product(secondDifference(n), power(out, p, n), n);
    expect(maxDifference(back, identity(n))).toBeLessThan(1e-5);
  });

  it('a power that is not an integer', () => {
    const n = 11;
    const out = new Float64Array(n * n);
    const result = inverseRoot(secondDifference(n), n, 1.5, out, { ridge: 0, method });
    expect(result.status).toBe('ok');
    expect(result.residual).toBeLessThan(1e-12);
    const expected = ofSecondDifference(n, (x) => x ** (-2 / 3));
    expect(maxDifference(out, expected)).toBeLessThan(1e-12);
  });

  it.each([1e2, 1e4, 1e6, 1e8, 1e10])('condition %f in float64', (condition) => {
    const n = 16;
    const a = withSpectrum(logSpectrum(n, condition));
    const out = new Float64Array(n * n);
    const result = inverseRoot(a, n, 4, out, { ridge: 0, method });
    expect(result.status).toBe('ok');
    // The true residual, not the loop's error: it must agree with one computed here.
    const residual = maxDifference(product(a, power(out, 4, n), n), identity(n));
    expect(residual).toBeLessThan(0.1);
    expect(Math.abs(result.residual - residual)).toBeLessThan(1e-15 * condition + 0.01 * residual);
  });

  it.each([1e2, 1e6, 1e10])('condition %f in float32 with the default ridge', (condition) => {
    const n = 16;
    const a = Float32Array.from(withSpectrum(logSpectrum(n, condition)));
    const out = new Float32Array(n * n);
    expect(inverseRoot(a, n, 4, out, { method }).status).toBe('ok');
    expect(transpose(out, n)).toEqual(Float64Array.from(out));
    const ridged = Float64Array.from(a).map((x, i) => x + (i % (n + 1) === 0 ? 1e-6 : 0));
    const back = product(ridged, power(out, 4, n), n);
    expect(maxDifference(back, identity(n))).toBeLessThan(0.15);
  });

  it('adds epsilon, then the ridge relative to the largest eigenvalue', () => {
    const out = new Float64Array(4);
    inverseRoot(diagonal([2, 0]), 2, 1, out, { epsilon: 0.5, ridge: 0.1, method });
    expect(out[0]).toBeCloseTo(1 / 2.75, 6);
    expect(out[3]).toBeCloseTo(1 / 0.75, 6);
    const zero = inverseRoot(new Float64Array(4), 2, 2, out, { epsilon: 0.25, ridge: 0, method });
    expect(zero.status).toBe('ok');
    expect(maxDifference(out, diagonal([2, 2]))).toBeLessThan(1e-6);
  });

  it('Hilbert stands on the ridge', () => {
    const out = new Float64Array(64);
    expect(inverseRoot(hilbert(8), 8, 4, out, { method }).status).toBe('ok');
  });

  it.each([1, 2, 3, 4, 6, 8])('rank one on the ridge, p = %i', (p) => {
    const out = new Float64Array(64);
    expect(inverseRoot(new Float64Array(64).fill(1), 8, p, out, { method }).status).toBe('ok');
    // 8(1 + 1e-6) along the ones, 8e-6 across
    const along = (8 * (1 + 1e-6)) ** (-1 / p);
    const across = 8e-6 ** (-1 / p);
    const expected = Float64Array.from({ length: 64 }, (_, i) =>
      i % 9 === 0 ? (along + 7 * across) / 8 : (along - across) / 8,
    );
    expect(maxDifference(out, expected)).toBeLessThan(1e-3 * across);
  });

  it('a singular matrix without a ridge is flagged by its residual and leaves out alone', () => {
    const out = new Float64Array(16).fill(7);
    const result = inverseRoot(new Float64Array(16).fill(1), 4, 2, out, { ridge: 0, method });
    expect(result.status).toBe('residual');
    expect(result.residual).toBeGreaterThan(0.1);
    expect(out).toEqual(new Float64Array(16).fill(7));
  });

  it('an indefinite matrix is flagged', () => {
    const result = inverseRoot(diagonal([1, -0.5]), 2, 2, new Float64Array(4), { method });
    expect(result.status).toBe('residual');
    expect(result.residual).toBeLessThan(Number.POSITIVE_INFINITY); // no NaN on the way
    expect(result.iterations).toBeLessThan(10); // the loop stops when its error grows
  });

  it('zero and negative matrices are not positive', () => {
    const out = new Float32Array(4).fill(7);
    const zero = inverseRoot(new Float32Array(4), 2, 4, out, { method });
    expect(zero).toEqual({
      residual: Number.POSITIVE_INFINITY,
      status: 'notPositive',
      iterations: 0,
    });
    expect(inverseRoot(diagonal([-1, -2]), 2, 4, out, { method }).status).toBe('notPositive');
    expect(out).toEqual(new Float32Array(4).fill(7));
  });

  it('1x1 and empty', () => {
    const out = new Float64Array(1);
    expect(inverseRoot(Float64Array.of(16), 1, 4, out, { ridge: 0, method }).status).toBe('ok');
    expect(out[0]).toBeCloseTo(0.5, 6);
    expect(inverseRoot(out.subarray(1), 0, 4, out.subarray(1), { method })).toEqual({
      residual: 0,
      status: 'ok',
      iterations: 0,
    });
  });

  it.each([Number.NaN, Number.NEGATIVE_INFINITY])('%f is not finite', (bad) => {
    const a = identity(3);
    a[3] = bad;
    const out = new Float64Array(9).fill(7);
    expect(inverseRoot(a, 3, 2, out, { method }).status).toBe('notFinite');
    expect(out).toEqual(new Float64Array(9).fill(7));
  });

  it('a root beyond float32 overflows there', () => {
    const out = new Float32Array(1).fill(7);
    expect(inverseRoot(Float64Array.of(1e-60), 1, 1, out, { method }).status).toBe('overflow');
    expect(out[0]).toBe(7);
  });

  it('reads the lower triangle only, and may write over its input', () => {
    const a = withSpectrum([1, 2, 3, 4]);
    const b = a.slice();
    for (let r = 0; r < 4; r++) for (let c = r + 1; c < 4; c++) b[r * 4 + c] = Number.NaN;
    const out = new Float64Array(16);
    inverseRoot(a, 4, 2, out, { method });
    expect(inverseRoot(b, 4, 2, b, { method }).status).toBe('ok');
    expect(b).toEqual(out);
  });
});

describe('newton in float32', () => {
  it('tries again in float64 where float32 gives out', () => {
    const n = 16;
    const a = withSpectrum(logSpectrum(n, 1e10));
    const inDouble = inverseRoot(a, n, 4, new Float64Array(n * n), { ridge: 0, method: 'newton' });
    const retried = inverseRoot(a, n, 4, new Float32Array(n * n), { ridge: 0, method: 'newton' });
    expect(retried.residual).toBe(inDouble.residual);
    expect(retried.status).toBe('ok');
    expect(retried.iterations).toBeGreaterThan(inDouble.iterations);
  });

  it('agrees with eigh', () => {
    const n = 20;
    const a = Float32Array.from(withSpectrum(logSpectrum(n, 1e3)));
    const byNewton = new Float32Array(n * n);
    const byEigh = new Float32Array(n * n);
    expect(inverseRoot(a, n, 4, byNewton, { method: 'newton' }).iterations).toBeLessThan(40);
    inverseRoot(a, n, 4, byEigh);
    expect(maxDifference(byNewton, byEigh)).toBeLessThan(1e-4);
  });
});

it('eigenvalues of rounding below zero are lifted by as much', () => {
  const out = new Float64Array(9);
  const options = { ridge: 1e-6 };
  expect(inverseRoot(diagonal([1, 0, -5e-5]), 3, 2, out, options).status).toBe('ok');
  const expected = [1 + 1e-6 + 5e-5, 1e-6 + 5e-5, 1e-6].map((x) => x ** -0.5);
  for (const [i, root] of expected.entries()) expect(out[4 * i] / root).toBeCloseTo(1, 9);
  expect(inverseRoot(diagonal([1, 0, -2e-4]), 3, 2, out, options).status).toBe('residual');
});
