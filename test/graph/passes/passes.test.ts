/** Each pass of the compiler by itself. */
import { describe, expect, it } from 'vitest';
import { Graph, type Value } from '../../../src/graph/graph.ts';
import { planArena } from '../../../src/graph/passes/arena.ts';
import { type Draft, draftOf, ownerOf } from '../../../src/graph/passes/draft.ts';
import { shareInPlace } from '../../../src/graph/passes/in-place.ts';
import { keepLive } from '../../../src/graph/passes/live.ts';
import { numbered } from '../../../src/graph/passes/number.ts';
import { checkSections } from '../../../src/graph/passes/sections.ts';
import { assign } from '../../../src/ops/assign.ts';
import * as ops from '../../../src/ops/index.ts';

const vector = (graph: Graph, key: string, n = 4): Value =>
  graph.stored(key, { dtype: 'f32', shape: [n] });

const names = ({ nodes }: Draft) => nodes.map(({ op }) => op.name);

describe('keepLive', () => {
  it('leaves what reports and updates read, in order, without aliases', () => {
    const graph = new Graph();
    const x = vector(graph, 'x');
    ops.tanh(x);
    const y = ops.reshape(ops.exp(x), [2, 2]);
    assign([x], [ops.neg(x)]);
    const draft = draftOf(graph, [ops.sum(y)]);
    expect(names(keepLive(draft))).toEqual(['exp', 'affine', 'assign', 'sum']);
    expect(draft.nodes).toBe(graph.nodes);
  });
});

describe('checkSections', () => {
  const rare = { name: 'rare', due: () => false };

  it('lets a section read its own values and those of every step', () => {
    const graph = new Graph();
    const x = vector(graph, 'x');
    const y = ops.exp(x);
    graph.inSection(rare, () => assign([x], [ops.neg(ops.tanh(y))]));
    const draft = draftOf(graph);
    expect(checkSections(draft)).toBe(draft);
  });

  it('refuses a value of one section in another', () => {
    const graph = new Graph();
    const y = graph.inSection(rare, () => ops.exp(vector(graph, 'x')));
    graph.inSection(rare, () => ops.tanh(y));
    expect(() => checkSections(draftOf(graph))).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Op "tanh" reads a value of a section that may not have run. Keep it in the store.]`,
    );
  });
});

describe('shareInPlace', () => {
  const traced = (trace: (x: Value) => Value) => {
    const graph = new Graph();
    const x = ops.exp(vector(graph, 'x'));
    const y = trace(x);
    const draft = shareInPlace(keepLive(draftOf(graph, [ops.sum(y)])));
    return { x, y, owner: ownerOf(draft, y) };
  };

  it('gives an output the memory of the input that dies, through aliases too', () => {
    const { x, owner } = traced((x) => ops.tanh(ops.reshape(x, [2, 2])));
    expect(owner).toBe(x);
  });

  it('not where the input is read again, or twice', () => {
    for (const trace of [
      (x: Value) => ops.mul(x, x),
      (x: Value) => ops.div(ops.reshape(ops.tanh(x), [4]), x),
    ]) {
      const { x, owner } = traced(trace);
      expect(owner).not.toBe(x);
    }
  });

  it('not where the input is a buffer of the store, or of another section', () => {
    const graph = new Graph();
    const x = vector(graph, 'x');
    const y = ops.exp(x);
    graph.inSection({ name: 'rare', due: () => true }, () => assign([x], [ops.tanh(y)]));
    expect(shareInPlace(keepLive(draftOf(graph))).owners.size).toBe(0);
  });
});

describe('planArena', () => {
  it('lets values that are not alive together share bytes, and counts what that saves', () => {
    const graph = new Graph();
    const [a, b] = [vector(graph, 'a', 16), vector(graph, 'b', 16)];
    const first = ops.exp(a);
    assign([a], [first]);
    const second = ops.exp(b);
    assign([b], [second]);
    const { offsets, arenaBytes, savedBytes } = planArena(keepLive(draftOf(graph)));
    expect([offsets.get(first), offsets.get(second)]).toEqual([0, 0]);
    expect([arenaBytes, savedBytes]).toEqual([64, 64]);
  });

  it('keeps a report to the end', () => {
    const graph = new Graph();
    const x = vector(graph, 'x', 16);
    const report = ops.sum(x);
    const later = ops.exp(x);
    assign([x], [later]);
    const { offsets } = planArena(keepLive(draftOf(graph, [report])));
    expect(offsets.get(report)).not.toBe(offsets.get(later));
  });
});

describe('numbered', () => {
  it('numbers buffers as they are first named, and finds where phases begin', () => {
    const graph = new Graph();
    const [x, y] = [vector(graph, 'x'), vector(graph, 'y')];
    assign([x], [y]);
    graph.nextPhase();
    graph.nextPhase();
    assign([y], [x]);
    const status = graph.stored('status', { dtype: 'i32', shape: [8] });
    const spec = numbered(keepLive(draftOf(graph, [], status)));
    const key = (id: number) => {
      const { place } = spec.buffers[id];
      return place.kind === 'arena' ? place.offset : place.key;
    };
    expect(spec.instructions.map(({ op, inputs }) => [op, ...inputs.map(key)])).toEqual([
      ['assign', 'x', 'y'],
      ['assign', 'y', 'x'],
    ]);
    expect([spec.phases, key(spec.status), spec.buffers.length]).toEqual([[0, 1, 1], 'status', 3]);
  });

  it('begins a phase in which nothing runs at the end', () => {
    const graph = new Graph();
    assign([vector(graph, 'x')], [vector(graph, 'y')]);
    graph.nextPhase();
    expect(numbered(draftOf(graph)).phases).toEqual([0, 1]);
  });
});
