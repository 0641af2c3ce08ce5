/** Coupled Newton on the emulated CUDA device: conformance holds roots to more than its 1e-6. */
import { describe, expect, it } from 'vitest';
import { inverseRoot } from '../../src/ops/matrices.ts';
import { cudaEmulated } from '../conformance/backends.ts';
import { f32 } from '../conformance/data.ts';
import { traceForward } from '../conformance/harness.ts';
import {
  hilbert,
  logSpectrum,
  maxDifference,
  ofSecondDifference,
  secondDifference,
  withSpectrum,
} from '../linalg/matrices.ts';

function newton(matrices: readonly ArrayLike<number>[], p: number, ridge: number) {
  const n = Math.round(Math.sqrt(matrices[0].length));
  const { run } = traceForward({
    op: 'inverseRoot',
    name: 'newton',
    inputs: [
      f32(
        [matrices.length, n, n],
        matrices.flatMap((m) => Array.from(m)),
      ),
    ],
    build: ([a]) => {
      const result = inverseRoot(a, { p, ridge, epsilon: 0, method: 'newton' });
      return [result.roots, result.residuals, result.outcomes];
    },
    oracle: () => [],
  });
  const [roots, residuals, outcomes] = run(cudaEmulated.open(1));
  return matrices.map((_, i) => ({
    root: roots.subarray(i * n * n, (i + 1) * n * n),
    residual: residuals[i],
    iterations: outcomes[2 * i],
    converged: outcomes[2 * i + 1] === 1,
  }));
}

describe.skipIf(cudaEmulated.missing !== null)(
  `coupled Newton${cudaEmulated.missing === null ? '' : `, skipped: ${cudaEmulated.missing}`}`,
  () => {
    it.each([1, 2, 3, 4, 6, 8])('p = %i, of several orders', (p) => {
      for (const n of [1, 2, 7, 16, 17]) {
        const [{ root, residual, converged }] = newton([secondDifference(n)], p, 0);
        const exact = ofSecondDifference(n, (x) => x ** (-1 / p));
        expect(converged).toBe(true);
        expect(residual).toBeLessThan(1e-3);
        expect(maxDifference(root, exact) / Math.max(...exact)).toBeLessThan(3e-7 * (10 + n * n));
      }
    });

    it('judges by the true residual, and repeats in float64', () => {
      const [easy, hard] = newton(
        [withSpectrum(logSpectrum(9, 10)), withSpectrum(logSpectrum(9, 1e7))],
        4,
        0,
      );
      expect(easy.converged && hard.converged).toBe(true);
      expect(hard.iterations).toBeGreaterThan(2 * easy.iterations);
    });

    it('flags what has no root, beside one that has', () => {
      const zero = new Float32Array(4);
      const results = newton([zero, [-1, 0, 0, -2], [NaN, 0, 0, 1], [4, 0, 0, 16]], 2, 0);
      expect(results.map(({ converged }) => converged)).toEqual([false, false, false, true]);
      expect(results.slice(0, 3).every(({ root }) => root.every(Number.isNaN))).toBe(true);
      expect(results[3].root[0]).toBeCloseTo(0.5, 5);
      const [singular] = newton([[1, 1, 1, 1]], 4, 0);
      expect(singular.converged).toBe(false);
    });

    it('stands on the ridge', () => {
      const [ones] = newton([new Float32Array(25).fill(1)], 4, 1e-6);
      const [along, across] = [(5 * (1 + 1e-6)) ** -0.25, 5e-6 ** -0.25];
      expect(ones.converged).toBe(true);
      expect(ones.root[0] / (across + (along - across) / 5)).toBeCloseTo(1, 1);
      expect(newton([hilbert(8)], 4, 1e-6)[0].converged).toBe(true);
    });
  },
);
