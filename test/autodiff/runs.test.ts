/** Runs that an op's outputs fall into: what ops say of themselves, against what a changed element changes. */
import { describe, expect, it } from 'vitest';
import { independentRuns } from '../../src/autodiff/runs.ts';
import { JsStore } from '../../src/backend/js/store.ts';
import { Graph } from '../../src/graph/graph.ts';
import type { Shape } from '../../src/graph/types.ts';
import { batchNorm } from '../../src/ops/batch_norm.ts';
import { findOp, opNames } from '../../src/ops/define.ts';
import * as ops from '../../src/ops/index.ts';
import { previousSteps } from '../../src/ops/sequence.ts';
import { collectCases } from '../conformance/collect.ts';
import { type Case, type Tensor, traceForward } from '../conformance/harness.ts';

/** Runs of input `i` and each output of a case. */
function runsOf(c: Case, i: number): number[] {
  const graph = new Graph();
  const inputs = c.inputs.map(({ dtype, shape }, k) => graph.stored(`in.${k}`, { dtype, shape }));
  return c.build(inputs, graph).map((y) => independentRuns(inputs[i], y, inputs[i].size));
}

const outputsOf = (c: Case) => traceForward(c).run(new JsStore({ float64: true }));

const sizeOf = ({ data }: Tensor) => data.length;
const few = (await collectCases()).filter(
  ({ op, inputs, gradient }) =>
    // A loss made of ops has a case and is none.
    opNames().includes(op) &&
    findOp(op).runs !== undefined &&
    gradient?.every((i) => sizeOf(inputs[i]) <= 400),
);
const names = [...new Set(few.map(({ op }) => op))];

describe('runs', () => {
  it.each(names)('of %s keep to themselves', (name) => {
    for (const c of few.filter(({ op }) => op === name)) {
      for (const i of c.gradient ?? []) {
        const { data } = c.inputs[i];
        if (data.length === 0) continue;
        const before = outputsOf(c);
        for (const at of [0, Math.floor(data.length / 2), data.length - 1]) {
          const changed = data.map((x, k) => (k === at ? x + 0.7 : x)) as typeof data;
          const inputs = c.inputs.map((x, k) => (k === i ? { ...x, data: changed } : x));
          const after = outputsOf({ ...c, inputs });
          runsOf(c, i).forEach((runs, o) => {
            const own = Math.floor((at * runs) / data.length);
            after[o].forEach((y, k) => {
              if (Math.floor((k * runs) / after[o].length) === own) return;
              expect(Object.is(y, before[o][k]), `${c.name}, input ${i}: ${runs} runs`).toBe(true);
            });
          });
        }
      }
    }
  });

  const graph = new Graph();
  const stored = (shape: Shape) => graph.stored(`of ${shape.join(' × ')}`, { dtype: 'f32', shape });
  const rows = stored([6, 4]);
  const images = stored([6, 4, 5, 5]);
  const steps = stored([2, 3, 8]);
  const affine = { weight: stored([4]), bias: stored([4]) };
  const weights = {
    input: stored([8, 8]),
    recurrent: stored([8, 2]),
    bias: stored([8]),
  };

  it.each([
    [
      'a network of layers that keep rows apart',
      rows,
      () => ops.softmax(ops.linear(ops.tanh(rows), stored([3, 4]), stored([3]))),
      6,
    ],
    [
      'convolutions',
      images,
      () => ops.flatten(ops.maxPool2d(ops.conv2d(images, stored([3, 4, 2, 2])), { kernel: 2 })),
      6,
    ],
    [
      'rows that are scaled by their maximum',
      rows,
      () => ops.div(rows, ops.max(rows, [1], { keepDims: true })),
      6,
    ],
    [
      'rows that are centred together',
      rows,
      () => ops.sub(rows, ops.mean(rows, [0], { keepDims: true })),
      1,
    ],
    [
      'rows beside others in one',
      rows,
      () => ops.linear(ops.reshape(rows, [2, 12]), stored([3, 12])),
      2,
    ],
    ['a matrix times its transpose', rows, () => ops.matmul(rows, rows, { transB: true }), 1],
    ['batch norm', rows, () => ops.tanh(batchNorm(rows, affine, 1e-5).y), 1],
    ['steps of sequences in an LSTM', steps, () => ops.lstm(steps, weights), 2],
    [
      'steps of sequences that meet their last',
      steps,
      () => ops.add(steps, previousSteps(steps, { reverse: 0 })),
      2,
    ],
    ['steps of sequences that meet nowhere', steps, () => ops.linear(steps, stored([3, 8])), 6],
    ['what nothing depends on', rows, () => stored([6, 2]), 6],
  ] as const)('of %s', (_, from, trace, want) => {
    expect(independentRuns(from, trace(), 6)).toBe(want);
  });
});
