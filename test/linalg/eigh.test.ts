import { describe, expect, it } from 'vitest';
import { eigh } from '../../src/linalg/eigh.ts';
import {
  diagonal,
  hilbert,
  identity,
  logSpectrum,
  maxDifference,
  product,
  secondDifference,
  transpose,
  withSpectrum,
} from './matrices.ts';

/** A·Vᵀ = Vᵀ·diag(λ), V·Vᵀ = I and ascending values, relative to the largest entry of a. */
function check(a: Float32Array | Float64Array, n: number, tolerance = 1e-14 * Math.max(4, n)) {
  const eigen = eigh(a, n);
  if (typeof eigen === 'string') throw new Error(eigen);
  const { values, vectors } = eigen;
  const scale = Float64Array.from(a).reduce((max, x) => Math.max(max, Math.abs(x)), 0) || 1;
  const columns = transpose(vectors, n);
  const left = product(a, columns, n).map((x) => x / scale);
  const right = product(columns, diagonal(values.map((x) => x / scale)), n);
  expect(maxDifference(left, right)).toBeLessThan(tolerance);
  expect(maxDifference(product(vectors, columns, n), identity(n))).toBeLessThan(tolerance);
  expect(values).toEqual(values.slice().sort());
  return values;
}

describe('eigh', () => {
  it.each([2, 3, 4, 5, 15, 16, 17, 31, 33, 100])('second difference, n = %i', (n) => {
    const values = check(secondDifference(n), n);
    const expected = values.map((_, k) => 2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)));
    expect(maxDifference(values, expected)).toBeLessThan(1e-14 * n);
  });

  it.each([1e2, 1e4, 1e6, 1e8, 1e10])('spectrum of condition %f', (condition) => {
    const spectrum = logSpectrum(24, condition);
    const values = check(withSpectrum(spectrum), 24);
    expect(maxDifference(values, spectrum.reverse())).toBeLessThan(1e-14);
  });

  it('Hilbert', () => {
    const values = check(hilbert(12), 12);
    // trace and the largest eigenvalue of the 12 x 12 Hilbert matrix
    expect(values.reduce((sum, x) => sum + x, 0)).toBeCloseTo(
      Array.from({ length: 12 }, (_, i) => 1 / (2 * i + 1)).reduce((sum, x) => sum + x),
      13,
    );
    expect(values[11]).toBeCloseTo(1.7953720595619975, 12);
  });

  it('rank one, repeated and negative eigenvalues', () => {
    const ones = check(new Float64Array(400).fill(1), 20);
    expect(ones[19]).toBeCloseTo(20, 12);
    expect(maxDifference(ones.subarray(0, 19), new Float64Array(19))).toBeLessThan(1e-13);
    const repeated = [-3, -3, -3, 0, 0, 1, 1, 1, 5, 5];
    expect(maxDifference(check(withSpectrum(repeated), 10), repeated)).toBeLessThan(1e-13);
  });

  it('diagonal, zero, 1x1 and empty', () => {
    expect([...check(diagonal([3, -1, 2, 2]), 4)]).toEqual([-1, 2, 2, 3]);
    expect([...check(new Float64Array(9), 3)]).toEqual([0, 0, 0]);
    expect(eigh(Float32Array.of(-7), 1)).toEqual({
      values: Float64Array.of(-7),
      vectors: Float64Array.of(1),
    });
    expect(eigh(new Float32Array(0), 0)).toEqual({
      values: new Float64Array(0),
      vectors: new Float64Array(0),
    });
  });

  it.each([1e-300, 1e-150, 1e150, 1e300])('entries scaled by %f', (scale) => {
    const values = check(
      withSpectrum(logSpectrum(9, 100)).map((x) => x * scale),
      9,
    );
    expect(values[8] / scale).toBeCloseTo(1, 13);
  });

  it('entries far apart', () => {
    check(
      Float64Array.from({ length: 144 }, (_, i) => 10 ** (-25 * (Math.floor(i / 12) + (i % 12)))),
      12,
    );
    check(
      Float64Array.from(
        { length: 144 },
        (_, i) => 10 ** (25 * (Math.floor(i / 12) + (i % 12) - 22)),
      ),
      12,
    );
  });

  it('entries whose squares lose their digits', () => {
    const a = identity(8);
    for (const c of [0, 1, 2, 3]) a[56 + c] = a[8 * c + 7] = (c + 1) * 1e-162;
    check(a, 8);
  });

  /** Row i of the statistic of gradients that shrink by `decades` from the first row to the last. */
  const graded = (n: number, decades: number, place: (i: number) => number) => {
    const size = Float64Array.from({ length: n }, (_, i) => 10 ** ((-decades * place(i)) / n));
    return Float32Array.from({ length: n * n }, (_, k) => {
      const [i, j] = [Math.floor(k / n), k % n];
      return size[i] * size[j] * ((i === j ? 1 : 0) + 0.1);
    });
  };
  const PLACES: Record<string, (i: number, n: number) => number> = {
    'from the first row down': (i) => i,
    'from the last row up': (i, n) => n - 1 - i,
    'in no order': (i, n) => (37 * i) % n,
  };

  describe.each(Object.keys(PLACES))('rows that shrink %s', (order) => {
    it.each([
      [64, 30],
      [80, 8],
      [128, 12],
      [161, 10],
      [161, 22],
    ])('n = %i, over %i decades', (n, decades) => {
      check(
        graded(n, decades, (i) => PLACES[order](i, n)),
        n,
      );
    });
  });

  it('one entry far above the others, and clusters', () => {
    const n = 90;
    const noise = withSpectrum(Array.from({ length: n }, (_, i) => 1e-20 * (1 + (i % 3))));
    noise[n + 1] = 1e18;
    check(noise, n);
    check(withSpectrum(Array.from({ length: n }, (_, i) => 10 ** (-6 * (i % 4)))), n);
  });

  it('float32 input', () => {
    check(Float32Array.from(withSpectrum(logSpectrum(10, 10))), 10);
  });

  it('reads the lower triangle only', () => {
    const a = withSpectrum([1, 2, 3, 4, 5]);
    const b = a.slice();
    for (let r = 0; r < 5; r++) for (let c = r + 1; c < 5; c++) b[r * 5 + c] = Number.NaN;
    expect(eigh(b, 5)).toEqual(eigh(a, 5));
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses %f', (bad) => {
    const a = identity(4);
    a[9] = bad;
    expect(eigh(a, 4)).toBe('notFinite');
  });
});
