/** Statistics leave bases open, by zeros and equal eigenvalues; and a decomposition that fails. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadAddon } from '../../src/backend/native/addon.ts';
import { inverseRoot, orthogonalize, type Params, shampoo, soap } from '../../src/index.ts';
import { random } from '../conformance/data.ts';

const eigh = vi.hoisted(() => ({ fails: false }));
vi.mock('../../src/linalg/eigh.ts', async (original) => {
  const real = (await original()) as typeof import('../../src/linalg/eigh.ts');
  return {
    eigh: (...args: Parameters<typeof real.eigh>) =>
      eigh.fails ? 'notConverged' : real.eigh(...args),
  };
});
afterEach(() => {
  eigh.fails = false;
});

type Shape = readonly [number, number];
type Gradient = (shape: Shape, step: number) => Float32Array;

const noise = ([rows, columns]: Shape, step: number) =>
  random(rows * columns, { seed: step, low: -1, high: 1 });
/** Gradients whose statistics leave much open. */
const GRADIENTS: Record<string, Gradient> = {
  'of full rank': noise,
  'of rank one': ([rows, columns], step) => {
    const x = random(rows + columns, { seed: step, low: -1, high: 1 });
    return Float32Array.from(
      { length: rows * columns },
      (_, i) => x[Math.floor(i / columns)] * x[rows + (i % columns)],
    );
  },
  'with dead units': ([rows, columns], step) =>
    noise([rows, columns], step).map((x, i) =>
      i % columns < columns / 2 || Math.floor(i / columns) % 3 === 1 ? 0 : x,
    ),
  'of which the first is orthogonal': (shape, step) =>
    step > 1
      ? noise(shape, step)
      : orthogonalize({ data: noise(shape, 1), shape }, { method: 'exact', device: 'js' }).data,
  'of which the first is zero': (shape, step) => noise(shape, step).map((x) => (step > 1 ? x : 0)),
};
const SHAPES: Shape[] = [
  [1, 6],
  [7, 5],
  [3, 12],
  [12, 3],
  [16, 48],
];

function path(gradient: Gradient, shape: Shape, device: 'js' | 'cpu'): Float32Array {
  const data = noise(shape, 99);
  const optimizer = soap({ w: { data, shape } }, { lr: 0.01, basesEvery: 5, device });
  for (let step = 1; step <= 25; step++) optimizer.step({ w: gradient(shape, step) });
  return data;
}

const { reason } = loadAddon();

describe.skipIf(reason !== null)(`soap${reason === null ? '' : `, skipped: ${reason}`}`, () => {
  describe.each(Object.keys(GRADIENTS))('gradients %s', (kind) => {
    it.each(SHAPES)('takes the same steps on cpu and js: [%i, %i]', (...shape) => {
      const [a, b] = [path(GRADIENTS[kind], shape, 'cpu'), path(GRADIENTS[kind], shape, 'js')];
      // A step is 0.01: a basis of another backend's rounding makes all of it another.
      a.forEach((x, i) => {
        expect(Math.abs(x - b[i])).toBeLessThan(1e-4);
      });
    });
  });
});

describe('an eigendecomposition that does not converge', () => {
  const run = (make: (params: Params) => { step(grads: Record<string, Float32Array>): void }) => {
    const data = noise([4, 6], 1);
    const optimizer = make({ w: { data, shape: [4, 6] } });
    const steps = (from: number, to: number) => {
      for (let t = from; t <= to; t++) optimizer.step({ w: noise([4, 6], t) });
    };
    return { data, steps };
  };

  it('leaves SOAP its basis, which turns when it is due', () => {
    eigh.fails = true;
    const { data, steps } = run((params) => soap(params, { lr: 0.1, basesEvery: 2, device: 'js' }));
    steps(1, 9);
    expect(data.every(Number.isFinite)).toBe(true);
  });

  it('leaves Shampoo its root, and stops it after the third in a row', () => {
    const { data, steps } = run((params) =>
      shampoo(params, { lr: 0.1, rootsEvery: 1, device: 'js' }),
    );
    steps(1, 2);
    eigh.fails = true;
    steps(3, 4);
    expect(data.every(Number.isFinite)).toBe(true);
    expect(() => steps(5, 5)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: A matrix root or inverse of "w" failed three times in a row, last at step 5. Parameters are as before that step. Help: raise the method's epsilon, ridge or damping.]`,
    );
  });

  it('is no root', () => {
    eigh.fails = true;
    const matrix = { data: Float32Array.of(2, 0, 0, 1), shape: [2, 2] as const };
    expect(inverseRoot(matrix, { p: 2, device: 'js' }).converged).toBe(false);
  });
});
