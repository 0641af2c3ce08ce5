/** The public matrix functions: identities on every device, and what is refused. */
import { describe, expect, it } from 'vitest';
import { eigh, FlatminError, inverseRoot, orthogonalize } from '../../src/index.ts';
import {
  diagonal,
  identity,
  logSpectrum,
  maxDifference,
  ofSecondDifference,
  orthogonal,
  product,
  secondDifference,
  transpose,
  withSpectrum,
} from '../linalg/matrices.ts';
import { devices } from '../optim/devices.ts';
import { iteratedValue } from '../optim/oracles/polar.ts';

const square = (data: ArrayLike<number>) => {
  const n = Math.round(Math.sqrt(data.length));
  return { data: Float32Array.from(data), shape: [n, n] as const };
};

/** `rows` × `columns` with the given singular values: some rows of Q·diag(values)·Qᵀ. */
function withSingularValues(values: readonly number[], columns: number) {
  const right = orthogonal(columns);
  const left = orthogonal(values.length);
  const k = values.length;
  const data = Float32Array.from({ length: k * columns }, (_, i) => {
    const [r, c] = [Math.floor(i / columns), i % columns];
    let sum = 0;
    for (let j = 0; j < k; j++) sum += left[r * k + j] * values[j] * right[j * columns + c];
    return sum;
  });
  return { data, shape: [k, columns] as const };
}

function singularValues(data: Float32Array, [rows, columns]: readonly number[]): number[] {
  const gram = new Float32Array(rows * rows);
  for (let r = 0; r < rows; r++)
    for (let s = 0; s < rows; s++)
      for (let c = 0; c < columns; c++)
        gram[r * rows + s] += data[r * columns + c] * data[s * columns + c];
  return [...eigh({ data: gram, shape: [rows, rows] }, { device: 'js' }).values.data].map(
    Math.sqrt,
  );
}

function turn(data: Float32Array, [rows, columns]: readonly number[]): Float32Array {
  return data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]);
}

describe.each(devices)('on $title', ({ device, missing }) => {
  const here = it.skipIf(missing !== null);

  here('eigh knows the spectrum of the second difference', () => {
    const n = 20;
    const a = secondDifference(n);
    const { values, vectors } = eigh(square(a), { device });
    expect(values.shape).toEqual([n]);
    expect(vectors.shape).toEqual([n, n]);
    values.data.forEach((value, k) => {
      expect(value).toBeCloseTo(2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)), 6);
    });
    const scaled = product(diagonal(values.data), vectors.data, n);
    expect(maxDifference(product(transpose(vectors.data, n), scaled, n), a)).toBeLessThan(1e-6);
  });

  here('eigh takes batches, and matrices without elements', () => {
    const data = Float32Array.of(2, 0, 0, 1, 0, 3, 3, 0);
    const { values, vectors } = eigh({ data, shape: [2, 2, 2] }, { device });
    expect(values.shape).toEqual([2, 2]);
    expect(vectors.shape).toEqual([2, 2, 2]);
    [1, 2, -3, 3].forEach((value, i) => {
      expect(values.data[i]).toBeCloseTo(value, 6);
    });
    expect(eigh({ data: new Float32Array(0), shape: [0, 0] }, { device }).values.shape).toEqual([
      0,
    ]);
  });

  here.each(['eigh', 'newton'] as const)('inverseRoot by %s', (method) => {
    const n = 12;
    const a = square(secondDifference(n));
    for (const p of [1, 2, 4]) {
      const { root, ...rest } = inverseRoot(a, { p, ridge: 0, method, device });
      expect(rest.converged).toBe(true);
      expect(rest.residual).toBeLessThan(1e-4);
      expect(rest.iterations > 0).toBe(method === 'newton');
      const want = ofSecondDifference(n, (x) => x ** (-1 / p));
      expect(maxDifference(root.data, want)).toBeLessThan(1e-4 * Math.max(...want));
      expect([...root.data]).toEqual([...transpose(root.data, n)]);
    }
  });

  here('inverseRoot adds ε, then the ridge of what is largest then', () => {
    const { root } = inverseRoot(square(diagonal([3, 1])), {
      p: 2,
      epsilon: 1,
      ridge: 0.25,
      device,
    });
    // λmax = 3 + 1
    expect(root.data[0]).toBeCloseTo((3 + 1 + 1) ** -0.5, 6);
    expect(root.data[3]).toBeCloseTo((1 + 1 + 1) ** -0.5, 6);
  });

  here('inverseRoot takes batches, and says which failed', () => {
    const data = Float32Array.of(4, 0, 0, 16, 0, 0, 0, 0);
    const result = inverseRoot({ data, shape: [2, 2, 2] }, { p: 2, ridge: 0, device });
    expect(result.converged).toEqual([true, false]);
    expect(result.residual[0]).toBeLessThan(1e-12);
    expect(result.residual[1]).toBe(Infinity);
    expect(result.iterations).toEqual([0, 0]);
    expect([...result.root.data]).toEqual([0.5, 0, 0, 0.25, NaN, NaN, NaN, NaN]);
  });

  here('inverseRoot tells a root from a number that only looks like one', () => {
    const a = square(withSpectrum(logSpectrum(16, 1e10)));
    const { converged, residual, root } = inverseRoot(a, {
      p: 4,
      ridge: 0,
      method: 'newton',
      device,
    });
    expect(converged).toBe(residual <= 0.1);
    expect(Number.isNaN(root.data[0])).toBe(!converged);
  });

  here('the exact factor is the polar factor', () => {
    const x = withSingularValues([3, 2, 1, 0.5, 1e-3], 5);
    const q = orthogonalize(x, { method: 'exact', device });
    expect(q.shape).toEqual([5, 5]);
    expect(maxDifference(product(q.data, transpose(q.data, 5), 5), identity(5))).toBeLessThan(1e-6);
    // QᵀX is symmetric, and its eigenvalues are the singular values.
    const stretch = product(transpose(q.data, 5), x.data, 5);
    expect(maxDifference(stretch, transpose(stretch, 5))).toBeLessThan(1e-6);
    const { values } = eigh(square(stretch), { device });
    [1e-3, 0.5, 1, 2, 3].forEach((value, i) => {
      expect(values.data[i]).toBeCloseTo(value, 5);
    });
  });

  const SPREAD = [1, 0.7, 0.3, 0.1, 0.03, 0.01];
  const BANDS = [
    { method: 'newton-schulz', low: 0.68, high: 1.21 },
    { method: 'polar-express', low: 0.84, high: 1.15 },
  ] as const;

  here.each(BANDS)('$method puts singular values into its band', ({ method, low, high }) => {
    const x = withSingularValues(SPREAD, 9);
    const y = orthogonalize(x, { method, device });
    const values = singularValues(y.data, y.shape);
    expect(Math.min(...values)).toBeGreaterThan(low);
    expect(Math.max(...values)).toBeLessThan(high);
    const norm = Math.hypot(...SPREAD);
    const want = SPREAD.map((s) => iteratedValue(s, norm, method)).sort((a, b) => a - b);
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(want[i], 4);
    });
  });

  here.each(['newton-schulz', 'polar-express', 'exact'] as const)('%s', (method) => {
    const run = (data: ArrayLike<number>, ...shape: number[]) =>
      orthogonalize({ data: Float32Array.from(data), shape }, { method, device }).data;
    // Wide and tall agree to the bit.
    const x = withSingularValues(SPREAD, 9);
    const wide = run(x.data, 6, 9);
    expect([...turn(run(turn(x.data, [6, 9]), 9, 6), [9, 6])]).toEqual([...wide]);
    // A batch is its matrices.
    expect([...run([...x.data, ...x.data], 2, 6, 9)]).toEqual([...wide, ...wide]);
    // One row keeps its direction.
    const row = run([3, -4], 1, 2);
    const length = method === 'exact' ? 1 : iteratedValue(5, 5, method);
    expect(row[0]).toBeCloseTo(0.6 * length, 4);
    expect(row[1]).toBeCloseTo(-0.8 * length, 4);
    // Nothing comes of nothing.
    expect([...run(new Float32Array(6), 2, 3)]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(run([], 0, 3)).toHaveLength(0);
    expect(run([], 3, 0)).toHaveLength(0);
  });
});

describe('matrix functions refuse', () => {
  const refusal = (body: () => unknown): string => {
    try {
      body();
    } catch (error) {
      expect(error).toBeInstanceOf(FlatminError);
      return `${(error as FlatminError).code}: ${(error as FlatminError).message}`;
    }
    throw new Error('nothing was thrown');
  };
  const of = (data: readonly number[], ...shape: number[]) =>
    ({ data: Float32Array.from(data), shape }) as never;

  it('what is no such matrix', () => {
    const messages = [
      () => eigh(of([1, 2], 1, 2)),
      () => eigh(of([1, 2], 2)),
      () => eigh(of([1, 2, 3], 2, 2)),
      () => eigh(of([1, NaN, NaN, 1], 2, 2)),
      () => eigh(of([1, 2, 2.1, 1], 2, 2)),
      () => eigh(undefined as never),
      () => eigh({ data: new Float64Array(1), shape: [1, 1] } as never),
      () => inverseRoot(of([1, 0, 0, 1, 1, 0, 3, 1], 2, 2, 2), { p: 2 }),
      () => orthogonalize(of([1, 2, Infinity], 3, 1)),
      () => orthogonalize(of([1], 1, 1, 1, 1)),
    ].map(refusal);
    expect(messages).toMatchInlineSnapshot(`
      [
        "FLATMIN_SHAPE: eigh expects square matrices, got [1, 2]",
        "FLATMIN_SHAPE: eigh expects a matrix [rows, columns] or a batch [count, rows, columns], got [2]",
        "FLATMIN_ARGUMENT: eigh: the matrix must have 4 elements, got 3",
        "FLATMIN_ARGUMENT: eigh expects finite entries, got NaN at [0, 1]",
        "FLATMIN_ARGUMENT: eigh expects a symmetric matrix, got 2.0999999046325684 at [1, 0] and 2 opposite. Help: pass (A + Aᵀ)/2.",
        "FLATMIN_ARGUMENT: eigh: the matrix must be an object of entries by name, got undefined",
        "FLATMIN_ARGUMENT: eigh: the matrix must be a Float32Array of 1 elements, got Float64Array",
        "FLATMIN_ARGUMENT: inverseRoot expects a symmetric matrix, got 3 at [1, 1, 0] and 0 opposite. Help: pass (A + Aᵀ)/2.",
        "FLATMIN_ARGUMENT: orthogonalize expects finite entries, got Infinity at [2, 0]",
        "FLATMIN_SHAPE: orthogonalize expects a matrix [rows, columns] or a batch [count, rows, columns], got [1, 1, 1, 1]",
      ]
    `);
  });

  it('bad options', () => {
    const a = of([1], 1, 1);
    const messages = [
      () => inverseRoot(a, {} as never),
      () => inverseRoot(a, { p: 0, ridge: -1, epsilon: NaN, method: 'qr' as never }),
      () => inverseRoot(a, { p: 2, rigde: 0 } as never),
      () => orthogonalize(a, { method: 'svd' as never }),
      () => orthogonalize(a, { device: 'gpu' as never }),
      () => eigh(a, { thread: 1 } as never),
    ].map(refusal);
    expect(messages).toMatchInlineSnapshot(`
      [
        "FLATMIN_ARGUMENT: inverseRoot: p: expected a finite number above 0, got undefined",
        "FLATMIN_ARGUMENT: inverseRoot: p: expected a finite number above 0, got 0; ridge: expected a finite number of at least 0, got -1; epsilon: expected a finite number of at least 0, got NaN; method: Invalid option: expected one of "eigh"|"newton"",
        "FLATMIN_ARGUMENT: inverseRoot: Unknown option "rigde"; did you mean "ridge"?",
        "FLATMIN_ARGUMENT: orthogonalize: method: Invalid option: expected one of "newton-schulz"|"polar-express"|"exact"",
        "FLATMIN_ARGUMENT: device must be one of auto, js, cpu, cuda, cuda:1, …, got "gpu"",
        "FLATMIN_ARGUMENT: eigh: Unknown option "thread"; did you mean "threads"?",
      ]
    `);
  });

  it('no rounding of a symmetric matrix', () => {
    const { values } = eigh(of([1, 2, 2 + 1e-6, 1], 2, 2), { device: 'js' });
    expect(values.data[1]).toBeCloseTo(3, 4);
  });

  it('an eigenvalue that float32 cannot hold', () => {
    expect(
      refusal(() => eigh(of(Array(4).fill(3e38), 2, 2), { device: 'js' })),
    ).toMatchInlineSnapshot(
      `"FLATMIN_NUMERICS: eigh found an eigenvalue outside float32's range. Help: scale the matrix."`,
    );
  });
});
