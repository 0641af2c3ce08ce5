/** The two forms of K-FAC against each other, on the same factors. */
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/backend/device.ts';
import { Program } from '../../src/backend/program.ts';
import { compile } from '../../src/graph/compile.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import type { Numbers } from '../../src/graph/kernel.ts';
import { assign } from '../../src/ops/assign.ts';
import { fill } from '../../src/ops/fill.ts';
import { inEigenbasis, kfacEigen } from '../../src/ops/kfac_eigen.ts';
import { matmul } from '../../src/ops/linear.ts';
import { kfacInverses } from '../../src/ops/roots.ts';
import { statusBlock } from '../../src/ops/status.ts';
import { uniforms } from '../../src/random/philox.ts';
import { packed } from '../conformance/data.ts';
import { devices } from './devices.ts';

const [IN, OUT] = [5, 4];

const draw = (n: number, step: number): number[] =>
  Array.from(uniforms({ seed: 6, stream: 0, step }, n), (u) => 2 * u - 1);

/** scale · (BBᵀ/n + I), row after row. */
function factor(n: number, step: number, scale: number): number[] {
  const b = draw(n * n, step);
  return Array.from({ length: n * n }, (_, k) => {
    const [r, c] = [Math.floor(k / n), k % n];
    let sum = r === c ? n : 0;
    for (let j = 0; j < n; j++) sum += b[r * n + j] * b[c * n + j];
    return (scale * sum) / n;
  });
}

const [A, G, V] = [factor(IN, 1, 3), factor(OUT, 2, 0.5), draw(IN * OUT, 3)];

const trace = (m: readonly number[], n: number): number =>
  Array.from({ length: n }, (_, i) => m[i * (n + 1)]).reduce((sum, x) => sum + x);

/** Relative to ‖b‖. */
const distance = (a: Numbers, b: Numbers): number =>
  Math.hypot(...a.map((x, i) => x - b[i])) / Math.hypot(...b);

describe.each(devices)('the forms of K-FAC on $title', ({ device, missing }) => {
  type Precondition = (
    status: Value,
    counters: { failures: Value; updates: Value },
    operands: { a: Value; g: Value; v: Value },
    square: (n: number, of: string) => Value,
    damping: Value,
  ) => Value;

  /** U of the factors a and g. */
  function precondition(form: Precondition, a: number[], g: number[], damping: number): Numbers {
    const graph = new Graph();
    const given = (name: string, data: number[], shape: number[]) => {
      values.set(name, Float32Array.from(data));
      return graph.stored(name, { dtype: 'f32', shape });
    };
    const values = new Map<string, Numbers>();
    const operands = {
      a: given('a', packed(a), [(IN * (IN + 1)) / 2]),
      g: given('g', packed(g), [(OUT * (OUT + 1)) / 2]),
      v: given('v', V, [OUT, IN]),
    };
    const square = (n: number, of: string) => graph.stored(of, { dtype: 'f32', shape: [n, n] });
    const counters = {
      failures: graph.stored('failures', { dtype: 'i32', shape: [2] }),
      updates: graph.stored('updates', { dtype: 'i32', shape: [1] }),
    };
    const u = form(statusBlock(graph), counters, operands, square, fill(graph, [], damping));
    assign([graph.stored('u', u.type)], [u]);
    const store = openStore({ device });
    const program = new Program(compile(graph), store);
    for (const [name, data] of values) store.write(name, data);
    store.write('updates', Int32Array.of(1));
    program.runSync([{ step: 1, epoch: 0, seed: 0, offset: 0 }]);
    expect(Array.from(store.read('failures'))).toEqual([0, 0]);
    return store.read('u');
  }

  const inverse: Precondition = (status, counters, { a, g, v }, square, damping) => {
    const [aInverse, gInverse] = [square(IN, 'aInverse'), square(OUT, 'gInverse')];
    const layer = {
      a: [{ factor: a, result: aInverse }],
      g: [{ factor: g, result: gInverse }],
      tensor: 0,
    };
    kfacInverses(status, counters, [layer], damping);
    return matmul(matmul(gInverse, v), aInverse);
  };
  const eigen: Precondition = (status, counters, { a, g, v }, square, damping) => {
    const scale = status.graph.stored('scale', { dtype: 'f32', shape: [OUT, IN] });
    const [aBasis, gBasis] = [square(IN, 'aBasis'), square(OUT, 'gBasis')];
    const layer = {
      a: [{ factor: a, result: aBasis }],
      g: [{ factor: g, result: gBasis }],
      scale,
      tensor: 0,
    };
    kfacEigen(status, counters, [layer], damping);
    return inEigenbasis(v, { aBases: [aBasis], gBases: [gBasis], scale });
  };

  it.skipIf(missing !== null)('agree as damping vanishes, with its root', () => {
    const apart = [1e-2, 1e-4, 1e-6].map((damping) =>
      distance(precondition(eigen, A, G, damping), precondition(inverse, A, G, damping)),
    );
    expect(apart[0]).toBeGreaterThan(0.01);
    for (const [i, d] of apart.slice(1).entries()) {
      expect(d / apart[i]).toBeGreaterThan(0.08);
      expect(d / apart[i]).toBeLessThan(0.15);
    }
    expect(distance(precondition(eigen, A, G, 0), precondition(inverse, A, G, 0))).toBeLessThan(
      2e-6,
    );
  });

  it.skipIf(missing !== null)('are one where the damping is in the factors already', () => {
    const damping = 0.04;
    const pi = Math.sqrt(trace(A, IN) / IN / (trace(G, OUT) / OUT));
    const damped = (m: number[], n: number, shift: number) =>
      m.map((x, k) => x + (k % (n + 1) === 0 ? shift : 0));
    const a = damped(A, IN, pi * Math.sqrt(damping));
    const g = damped(G, OUT, Math.sqrt(damping) / pi);
    const apart = distance(precondition(eigen, a, g, 0), precondition(inverse, A, G, damping));
    expect(apart).toBeLessThan(2e-6);
  });
});
