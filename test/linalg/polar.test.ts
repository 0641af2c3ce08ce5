/** Exact polar factors of matrices that take many sweeps, and of one that is given too few. */
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/backend/device.ts';
import { Program } from '../../src/backend/program.ts';
import { compile } from '../../src/graph/compile.ts';
import { Graph } from '../../src/graph/graph.ts';
import { orthogonalize } from '../../src/index.ts';
import { polarFactor } from '../../src/linalg/polar.ts';
import { assign } from '../../src/ops/assign.ts';
import { findOp } from '../../src/ops/define.ts';
import { statusBlock } from '../../src/ops/status.ts';
import { uniforms } from '../../src/random/philox.ts';
import { stopError } from '../../src/step/stop.ts';
import { devices } from '../optim/devices.ts';

const draw = (count: number, stream: number) =>
  uniforms({ seed: 8, stream, step: 0 }, count).map((u) => 2 * u - 1);

/** Columns from 1 down to 10^−`decades`. */
const graded = (n: number, decades: number): Float32Array =>
  draw(n * n, 1).map((x, k) => x * 10 ** (((k % n) / n) * -decades));

it('a graded matrix takes more than thirty sweeps', () => {
  const x = graded(120, 30);
  expect(polarFactor(x, 120, 120, { sweeps: 30 })).toBe('notConverged');
  expect(polarFactor(x, 120, 120)).toBeInstanceOf(Float64Array);
});

describe.each(devices)('the exact polar factor on $title', ({ device, missing }) => {
  it.skipIf(missing !== null)('of a graded matrix is orthogonal', () => {
    const n = 120;
    const data = graded(n, 30);
    const { data: q } = orthogonalize({ data, shape: [n, n] }, { method: 'exact', device });
    // Singular values below n · 2^-52 of the largest are left out: QQᵀ is a projection.
    const square = (a: ArrayLike<number>, b: ArrayLike<number>, transposed: boolean) =>
      Float64Array.from({ length: n * n }, (_, k) => {
        const [i, j] = [Math.floor(k / n), k % n];
        let sum = 0;
        for (let l = 0; l < n; l++) sum += a[i * n + l] * b[transposed ? j * n + l : l * n + j];
        return sum;
      });
    const p = square(q, q, true);
    const again = square(p, p, false);
    again.forEach((x, k) => {
      expect(Math.abs(x - p[k])).toBeLessThan(1e-5);
    });
    // And QᵀX is symmetric: Q belongs to X.
    const transposed = q.map((_, k) => q[(k % n) * n + Math.floor(k / n)]);
    const h = square(transposed, data, false);
    const largest = h.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
    h.forEach((x, k) => {
      expect(Math.abs(x - h[(k % n) * n + Math.floor(k / n)]) / largest).toBeLessThan(1e-6);
    });
  });

  it.skipIf(missing !== null)('that does not converge ends the run and names the tensor', () => {
    const graph = new Graph();
    const status = statusBlock(graph);
    const x = graph.stored('x', { dtype: 'f32', shape: [1, 5, 6] });
    const [factor] = graph.add(findOp('orthogonalize'), [status, x], {
      ...{ coefficients: [], safety: 1, epsilon: 0, leading: 0, sweeps: 1 },
      ...{ settled: 1, tensors: [1], stepSlot: graph.step.index },
    });
    assign([graph.stored('y', factor.type)], [factor]);
    const store = openStore({ device });
    const program = new Program(compile(graph, { status }), store);
    store.write('x', draw(30, 2));
    const { stopped } = program.runSync([{ step: 9, epoch: 0, seed: 0, offset: 0 }]);
    expect(stopped).toBe(true);
    expect(stopError(store, ['a', 'b'])).toMatchObject({
      code: 'FLATMIN_NUMERICS',
      message: expect.stringContaining('The polar factor of "b" did not converge at step 9.'),
    });
  });
});
