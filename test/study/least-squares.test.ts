import { describe, expect, it } from 'vitest';
import { Draws } from '../../src/random/draws.ts';
import { leastSquares, meanSquare, times } from '../../src/study/least-squares.ts';

const draws = new Draws(7, 0, 0);

/** Xᵀ(Xθ − y) + λθ, which a minimum makes 0. */
function gradient(
  x: Float64Array,
  columns: number,
  theta: Float64Array,
  y: Float64Array,
  lambda = 0,
) {
  const off = times(x, columns, theta).map((value, r) => value - y[r]);
  return theta.map((value, c) =>
    off.reduce((sum, r, i) => sum + r * x[i * columns + c], lambda * value),
  );
}

describe('leastSquares', () => {
  it.each([
    [12, 5],
    [5, 12],
    [7, 7],
    [1, 3],
  ])('has no gradient at the solutions of %i × %i, with each penalty', (rows, columns) => {
    const x = draws.normals(rows * columns);
    const y = draws.normals(rows);
    const lambdas = [0, 0.1, 10];
    leastSquares(x, rows, columns, y, lambdas).forEach((theta, i) => {
      for (const g of gradient(x, columns, theta, y, lambdas[i]))
        expect(Math.abs(g)).toBeLessThan(1e-11);
    });
  });

  it('takes the least norm where many fit: a combination of the rows', () => {
    const x = Float64Array.of(1, 1, 0, 0, 1, 1);
    const [theta] = leastSquares(x, 2, 3, Float64Array.of(1, 2));
    expect(meanSquare(times(x, 3, theta), [1, 2])).toBeLessThan(1e-28);
    // Orthogonal to the null space (1, −1, 1).
    expect(theta[0] - theta[1] + theta[2]).toBeCloseTo(0, 14);
  });
});

describe('normal draws', () => {
  it('have mean 0 and variance 1, and the same numbers for a seed', () => {
    const values = new Draws(3, 0, 0).normals(20_000);
    expect(values.reduce((a, b) => a + b, 0) / 20_000).toBeCloseTo(0, 1);
    expect(meanSquare(values, new Float64Array(20_000))).toBeCloseTo(1, 1);
    expect(new Draws(3, 0, 0).normals(2)).toEqual(values.slice(0, 2));
  });
});
