import { describe, expect, it } from 'vitest';
import { eigh } from '../../src/linalg/eigh.ts';
import { inverseRoot } from '../../src/linalg/inverse-root.ts';
import { warmEigh } from '../../src/linalg/warm-eigh.ts';
import { uniforms } from '../../src/random/philox.ts';
import {
  diagonal,
  identity,
  logSpectrum,
  maxDifference,
  product,
  transpose,
  withSpectrum,
} from './matrices.ts';

const N = 24;

/** 0.95 A + 0.05 xxᵀ: as an averaged statistic moves in a step. */
function moved(a: ArrayLike<number>, n: number, step: number): Float64Array {
  const x = uniforms({ seed: 3, stream: 0, step }, n).map((u) => 2 * u - 1);
  return Float64Array.from(
    { length: n * n },
    (_, i) => 0.95 * a[i] + 0.05 * x[Math.floor(i / n)] * x[i % n],
  );
}

const STARTS: Readonly<Record<string, ArrayLike<number>>> = {
  'eigenvalues evenly spaced': withSpectrum(Array.from({ length: N }, (_, i) => 1 + i)),
  'a condition of 1e10': withSpectrum(logSpectrum(N, 1e10)),
  'rank 3': withSpectrum(Array.from({ length: N }, (_, i) => (i < 3 ? 3 - i : 0))),
  'two clusters': withSpectrum(
    Array.from({ length: N }, (_, i) => (i % 2 === 0 ? 1 : 1e-3) * (1 + 1e-9 * i)),
  ),
  'identical eigenvalues': identity(N),
  'a little below zero': withSpectrum(
    Array.from({ length: N }, (_, i) => (i < 4 ? 1 : (i % 2 === 0 ? 1 : -1) * 1e-7)),
  ),
};

function expectEigen(a: ArrayLike<number>, n: number, basis: Float32Array): void {
  const eigen = warmEigh(Float64Array.from(a), n, basis);
  expect(eigen).toBeDefined();
  if (eigen === undefined) return;
  const { values, vectors } = eigen;
  const most = Math.max(...values);
  expect(maxDifference(product(vectors, transpose(vectors, n), n), identity(n))).toBeLessThan(
    1e-11,
  );
  const apart = maxDifference(product(vectors, a, n), product(diagonal(values), vectors, n));
  expect(apart / most).toBeLessThan(1e-9);
}

function basisOf(a: Float64Array): Float32Array {
  const eigen = eigh(a, N);
  if (typeof eigen === 'string') throw new Error(eigen);
  return Float32Array.from(eigen.vectors);
}

describe('warmEigh', () => {
  it.each(Object.keys(STARTS))('follows a statistic from its last basis: %s', (start) => {
    let a = STARTS[start];
    for (let step = 1; step <= 12; step++) {
      const basis = basisOf(Float64Array.from(a));
      expectEigen(a, N, basis);
      a = moved(a, N, step);
      expectEigen(a, N, basis);
    }
  });

  it('begins from the basis of another matrix', () => {
    const other = withSpectrum(logSpectrum(N, 1e4));
    const basis = basisOf(other);
    expectEigen(moved(STARTS['eigenvalues evenly spaced'], N, 5), N, basis);
    expectEigen(diagonal([2]), 1, Float32Array.of(-1));
  });

  it('leaves what it cannot begin from', () => {
    const a = STARTS['a condition of 1e10'] as Float64Array;
    const basis = Float32Array.from(identity(N));
    expect(warmEigh(a, N, new Float32Array(N * N))).toBeUndefined();
    expect(warmEigh(a, N, new Float32Array(N * N).fill(NaN))).toBeUndefined();
    expect(
      warmEigh(
        a,
        N,
        basis.map((x) => 1.001 * x),
      ),
    ).toBeUndefined();
    expect(warmEigh(new Float64Array(N * N), N, basis)).toBeUndefined();
    expect(
      warmEigh(
        a.map((x, i) => (i === N ? Infinity : x)),
        N,
        basis,
      ),
    ).toBeUndefined();
  });
});

describe('a root from a basis', () => {
  const root = (a: ArrayLike<number>, basis?: Float32Array) => {
    const out = new Float32Array(N * N);
    return { ...inverseRoot(Float64Array.from(a), N, 4, out, { basis }), out };
  };

  it.each(Object.keys(STARTS))('is that from nothing, step after step: %s', (start) => {
    let a = STARTS[start];
    const basis = new Float32Array(N * N);
    for (let step = 1; step <= 12; step++) {
      const [cold, warm] = [root(a), root(a, basis)];
      expect(warm.status).toBe('ok');
      const most = Math.max(...cold.out.map(Math.abs));
      expect(maxDifference(warm.out, cold.out) / most).toBeLessThan(1e-6);
      // It is left orthonormal, whoever found it.
      expect(maxDifference(product(basis, transpose(basis, N), N), identity(N))).toBeLessThan(1e-6);
      a = moved(a, N, step);
    }
  });

  it('is flagged as one from nothing', () => {
    const basis = Float32Array.from(identity(N));
    const negative = identity(N).map((x) => -x);
    const indefinite = diagonal(Array.from({ length: N }, (_, i) => (i === 3 ? -0.5 : 1)));
    for (const bad of [new Float64Array(N * N), negative, indefinite]) {
      const [cold, warm] = [root(bad), root(bad, basis.slice())];
      expect(warm.status).toBe(cold.status);
      expect(warm.status).not.toBe('ok');
      expect(warm.out.every((x) => x === 0)).toBe(true);
    }
    expect(root(negative.fill(NaN), basis).status).toBe('notFinite');
    expect([...basis]).toEqual([...identity(N)]);
  });
});
