/** Roots on the emulated CUDA device, by both methods: right or flagged, beside each other in one launch. */
import { describe, expect, it } from 'vitest';
import { inverseRoot } from '../../src/ops/matrices.ts';
import { cudaEmulated } from '../conformance/backends.ts';
import { f32 } from '../conformance/data.ts';
import { traceForward } from '../conformance/harness.ts';
import {
  type Combination,
  combinations,
  exactRoot,
  isByNewton,
  METHODS,
  relativeError,
  toleranceOf,
} from '../linalg/exact-roots.ts';
import {
  diagonal,
  hilbert,
  logSpectrum,
  ofSecondDifference,
  secondDifference,
  withSpectrum,
} from '../linalg/matrices.ts';

/** Of matrices of one order. */
function rootsOf(matrices: readonly ArrayLike<number>[], { p, method }: Combination, ridge = 1e-6) {
  const n = Math.round(Math.sqrt(matrices[0].length));
  const data = matrices.flatMap((m) => Array.from(m));
  const { run } = traceForward({
    op: 'inverseRoot',
    name: 'roots',
    inputs: [f32([matrices.length, n, n], data)],
    build: ([a]) => {
      const result = inverseRoot(a, { p, ridge, epsilon: 0, method });
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
  `roots${cudaEmulated.missing === null ? '' : `, skipped: ${cudaEmulated.missing}`}`,
  () => {
    it.each(combinations)('of the second difference, p = $p by $method', (c) => {
      for (const n of [1, 2, 7, 16, 17]) {
        const [{ root, residual, converged }] = rootsOf([secondDifference(n)], c, 0);
        const exact = ofSecondDifference(n, (x) => x ** (-1 / c.p));
        expect(converged).toBe(true);
        expect(residual).toBeLessThan(1e-3);
        const tolerance = isByNewton(c) ? 3e-7 * (10 + n * n) : 2e-7;
        expect(relativeError(root, exact), `n = ${n}`).toBeLessThan(tolerance);
      }
    });

    it.each(combinations)('of every condition, and Hilbert, p = $p by $method', (c) => {
      const spectra = [1e2, 1e4, 1e6, 1e8, 1e10].map((x) => withSpectrum(logSpectrum(9, x)));
      const matrices = [...spectra, hilbert(9)].map((m) => Float32Array.from(m));
      rootsOf(matrices, c).forEach(({ root, residual, converged }, i) => {
        expect(converged, `matrix ${i}`).toBe(true);
        expect(residual).toBeLessThan(0.1);
        const exact = exactRoot(matrices[i], c, 1e-6);
        const error = relativeError(root, exact.root);
        expect(error, `matrix ${i}`).toBeLessThan(toleranceOf(c, exact.condition));
      });
      rootsOf(matrices, c, 0).forEach(({ root, converged }, i) => {
        if (i < 3) expect(converged).toBe(true);
        if (!converged) {
          expect(root.every(Number.isNaN)).toBe(true);
          return;
        }
        const exact = exactRoot(matrices[i], c, 0);
        const error = relativeError(root, exact.root);
        expect(error, `matrix ${i}`).toBeLessThan(toleranceOf(c, exact.condition));
      });
    });

    it.each(combinations)('flags what has no root, p = $p by $method', (c) => {
      const matrices = [
        [0, 0, 0, 0],
        [-1, 0, 0, -2],
        [NaN, 0, 0, 1],
        [1, 1, 1, 1],
        [4, 0, 0, 16],
      ];
      const results = rootsOf(matrices, c, 0);
      expect(results.map(({ converged }) => converged)).toEqual([false, false, false, false, true]);
      expect(results.slice(0, 4).every(({ root }) => root.every(Number.isNaN))).toBe(true);
      expect(results[4].root[0]).toBeCloseTo(4 ** (-1 / c.p), 5);
      expect(results[4].root[3]).toBeCloseTo(16 ** (-1 / c.p), 5);
    });

    it.each(METHODS)('extreme scales are right or flagged: %s', (method) => {
      const values = [1, 0.5, 0.25];
      for (const scale of [1e-38, 1e-30, 1e-12, 1e12, 1e30, 1e38]) {
        const a = diagonal(values.map((x) => x * scale));
        const [{ root, converged }] = rootsOf([a], { p: 4, method }, 0);
        if (!converged) continue;
        values.forEach((x, i) => {
          expect(root[4 * i] / Math.fround(x * scale) ** -0.25).toBeCloseTo(1, 4);
        });
      }
      expect(rootsOf([[1e12]], { p: 4, method }, 0)[0].converged).toBe(true);
    });

    it('judges Newton by the true residual, and repeats it in float64', () => {
      const spectra = [10, 1e7].map((condition) => withSpectrum(logSpectrum(9, condition)));
      const [easy, hard] = rootsOf(spectra, { p: 4, method: 'newton' }, 0);
      expect(easy.converged && hard.converged).toBe(true);
      expect(hard.iterations).toBeGreaterThan(2 * easy.iterations);
    });
  },
);
