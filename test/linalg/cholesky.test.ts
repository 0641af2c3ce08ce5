import { describe, expect, it } from 'vitest';
import { choleskyInverse } from '../../src/linalg/cholesky.ts';
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

describe('choleskyInverse', () => {
  it.each([1, 2, 3, 7, 16, 17, 40])('second difference, n = %i', (n) => {
    const out = new Float64Array(n * n);
    expect(choleskyInverse(secondDifference(n), n, 0.25, out)).toBe('ok');
    expect(
      maxDifference(
        out,
        ofSecondDifference(n, (x) => 1 / (x + 0.25)),
      ),
    ).toBeLessThan(1e-13);
    expect(transpose(out, n)).toEqual(out);
  });

  it.each([1e2, 1e4, 1e6, 1e8, 1e10])('condition %f', (condition) => {
    const a = withSpectrum(logSpectrum(20, condition));
    const out = new Float64Array(400);
    expect(choleskyInverse(a, 20, 0, out)).toBe('ok');
    expect(maxDifference(product(a, out, 20), identity(20))).toBeLessThan(
      1e-15 * condition + 1e-12,
    );
  });

  it('Hilbert, whose inverse is made of integers', () => {
    const out = new Float64Array(9);
    expect(choleskyInverse(hilbert(3), 3, 0, out)).toBe('ok');
    expect(maxDifference(out, [9, -36, 30, -36, 192, -180, 30, -180, 180])).toBeLessThan(1e-10);
  });

  it('float32 in and out, rounded once', () => {
    const a = Float32Array.from(withSpectrum([1, 2, 3, 4, 5, 6]));
    const double = new Float64Array(36);
    const out = new Float32Array(36);
    expect(choleskyInverse(a, 6, 0.5, double)).toBe('ok');
    expect(choleskyInverse(a, 6, 0.5, out)).toBe('ok');
    expect(out).toEqual(Float32Array.from(double));
  });

  it('a pivot that is not positive', () => {
    const out = new Float64Array(4).fill(7);
    expect(choleskyInverse(new Float64Array(4), 2, 0, out)).toBe('notPositive');
    expect(choleskyInverse(new Float64Array(4).fill(1), 2, 0, out)).toBe('notPositive');
    expect(choleskyInverse(diagonal([1, -1]), 2, 0.5, out)).toBe('notPositive');
    expect(out).toEqual(new Float64Array(4).fill(7));
    expect(choleskyInverse(new Float64Array(4), 2, 0.5, out)).toBe('ok');
    expect(maxDifference(out, diagonal([2, 2]))).toBeLessThan(1e-15);
  });

  it('not finite, in or out', () => {
    const out = new Float32Array(4).fill(7);
    expect(choleskyInverse(Float32Array.of(1, 0, Number.NaN, 1), 2, 1, out)).toBe('notFinite');
    expect(choleskyInverse(diagonal([1e-50, 1]), 2, 0, out)).toBe('overflow');
    expect(out).toEqual(new Float32Array(4).fill(7));
  });

  it('empty, and the lower triangle only', () => {
    const none = new Float64Array(0);
    expect(choleskyInverse(none, 0, 1, none)).toBe('ok');
    const a = Float64Array.of(2, Number.NaN, 1, 2);
    expect(choleskyInverse(a, 2, 0, a)).toBe('ok');
    expect(maxDifference(a, [2 / 3, -1 / 3, -1 / 3, 2 / 3])).toBeLessThan(1e-15);
  });
});
