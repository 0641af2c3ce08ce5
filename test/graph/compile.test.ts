import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import { JsStore } from '../../src/backend/js/store.ts';
import { Program } from '../../src/backend/program.ts';
import { compile } from '../../src/graph/compile.ts';
import { Graph, type Value } from '../../src/graph/graph.ts';
import type { Moment } from '../../src/graph/moment.ts';
import { assign } from '../../src/ops/assign.ts';
import * as ops from '../../src/ops/index.ts';

const vector = (graph: Graph, key: string, n = 4): Value =>
  graph.stored(key, { dtype: 'f32', shape: [n] });

const moments = (count: number): Moment[] =>
  Array.from({ length: count }, (_, i) => ({ step: i + 1, epoch: 0, seed: 0, offset: 0 }));

describe('compile', () => {
  it('drops what nothing reads', () => {
    const graph = new Graph();
    const x = vector(graph, 'x');
    ops.exp(x);
    const loss = ops.sum(ops.relu(x));
    const names = compile(graph, { reports: [loss] }).spec.instructions.map((i) => i.op);
    expect(names).toEqual(['relu', 'sum']);
  });

  it('keeps updates of stored buffers, which nothing reads', () => {
    const graph = new Graph();
    const x = vector(graph, 'x');
    assign([x], [ops.exp(x)]);
    expect(compile(graph).spec.instructions.map((i) => i.op)).toEqual(['exp', 'assign']);
  });

  it('runs a chain of elementwise ops in one buffer', () => {
    const graph = new Graph();
    const y = ops.sigmoid(ops.exp(ops.tanh(vector(graph, 'x', 1000))));
    const { spec, savedBytes } = compile(graph, { reports: [ops.sum(y)] });
    expect(spec.arenaBytes).toBe(4032 + 64);
    expect(savedBytes).toBe(0); // one owner for all three, so there is nothing left to share
  });

  it('does not overwrite a value that is read again', () => {
    const graph = new Graph();
    const store = new JsStore();
    const x = vector(graph, 'x');
    const y = ops.exp(x);
    const loss = ops.sum(ops.add(ops.neg(y), y));
    const program = new Program(compile(graph, { reports: [loss] }), store);
    store.write('x', Float32Array.of(1, 2, 3, 4));
    expect(program.runSync(moments(1)).reports[0]).toBe(0);
  });

  it('refuses a value of a section outside of it', () => {
    const graph = new Graph();
    const x = vector(graph, 'x');
    const rare = graph.inSection({ name: 'rare', due: () => false }, () => ops.exp(x));
    expect(() => compile(graph, { reports: [ops.sum(rare)] })).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Op "sum" reads a value of a section that may not have run. Keep it in the store.]`,
    );
  });

  it('runs a section only in the steps where it is due', () => {
    const graph = new Graph();
    const store = new JsStore();
    const x = vector(graph, 'x', 1);
    graph.inSection({ name: 'odd', due: (step) => step % 2 === 1 }, () =>
      assign([x], [ops.affine(x, 1, 10)]),
    );
    assign([x], [ops.affine(x, 1, 1)]);
    const program = new Program(compile(graph, { reports: [ops.sum(x)] }), store);
    expect([...program.runSync(moments(5)).reports]).toEqual([11, 12, 23, 24, 35]);
  });

  it('refuses one key for two types', () => {
    const graph = new Graph();
    vector(graph, 'x', 3);
    expect(() => vector(graph, 'x', 4)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Buffer "x" is store f32[3] and was asked for as store f32[4]]`,
    );
  });
});

describe('gradients', () => {
  it('adds up over all uses', () => {
    const graph = new Graph();
    const store = new JsStore({ float64: true });
    const x = vector(graph, 'x', 1);
    const [dx] = gradients(ops.sum(ops.mul(x, ops.add(x, ops.exp(x)))), [x]);
    const program = new Program(compile(graph, { reports: [ops.sum(dx as Value)] }), store);
    store.write('x', Float64Array.of(0.5));
    const expected = 2 * 0.5 + Math.exp(0.5) * 1.5;
    expect(program.runSync(moments(1)).reports[0]).toBeCloseTo(expected, 6);
  });

  it('is undefined where the loss does not depend', () => {
    const graph = new Graph();
    const [x, y] = [vector(graph, 'x'), vector(graph, 'y')];
    expect(gradients(ops.sum(x), [y])).toEqual([undefined]);
  });

  it('wants a scalar', () => {
    const graph = new Graph();
    const x = vector(graph, 'x');
    expect(() => gradients(x, [x])).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: gradients() expects a scalar loss, got f32[4]. Reduce it with ops.mean or ops.sum.]`,
    );
  });
});
