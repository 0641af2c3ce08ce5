/** A step by itself: a method over parameters in any buffers, by gradients from any source. */
import { describe, expect, it } from 'vitest';
import { Graph, type Value } from '../../src/graph/graph.ts';
import { adam, type Optimizer, sgd } from '../../src/index.ts';
import type { Pass } from '../../src/step/context.ts';
import { traceStep } from '../../src/step/trace.ts';

const params = [{ name: 'w', shape: [3] }];

/** `passes` of a source whose gradients, and losses where there are `losses`, are buffers of the store. */
function traced(method: Optimizer, losses: boolean, place?: string) {
  const graph = new Graph();
  const f32 = (key: string, shape: readonly number[]): Value =>
    graph.stored(key, { dtype: 'f32', shape });
  let passes = 0;
  const gradient = (): Pass => {
    passes += 1;
    return {
      grads: [f32(`grad ${passes}`, [3])],
      ...(losses && { loss: f32(`loss ${passes}`, []) }),
      tapGradients: () => [],
    };
  };
  const step = traceStep(method, graph, {
    params,
    buffer: f32,
    source: () => ({ gradient, forward: () => ({ loss: f32('loss', []), outputs: [] }) }),
    onNonFinite: 'throw',
    place,
  });
  const ops = graph.nodes.map(({ op, inputs }) => [op.name, ...inputs.map(({ key }) => key)]);
  return { step, ops };
}

describe('traceStep', () => {
  it('names state apart from where it is kept', () => {
    const { step } = traced(adam({ lr: 0.1 }), false, 'elsewhere/');
    const names = step.states.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(1);
    expect(names.every((name) => name.startsWith('state/'))).toBe(true);
    expect(step.states.map(({ key }) => key)).toEqual(
      names.map((name) => name.replace('state/', 'elsewhere/')),
    );
  });

  it('traces the same update for a source that has losses and one that has none', () => {
    const [model, arrays] = [traced(sgd({ lr: 0.1 }), true), traced(sgd({ lr: 0.1 }), false)];
    expect([model.step.loss?.key, arrays.step.loss]).toEqual(['loss 1', undefined]);
    expect(model.ops[0]).toEqual(['checkFinite', 'status', 'grad 1', 'loss 1']);
    expect(arrays.ops[0]).toEqual(['checkFinite', 'status', 'grad 1']);
    expect(model.ops.slice(1)).toEqual(arrays.ops.slice(1));
  });

  it('checks the losses of the passes since the last check, and reports the first', () => {
    const twice: Optimizer = {
      name: 'twice',
      options: {},
      trace: (t) => {
        t.gradient();
        t.checkFinite(t.gradient().grads);
        t.checkFinite(t.gradient().grads);
      },
    };
    const { step, ops } = traced(twice, true);
    expect(step.loss?.key).toBe('loss 1');
    expect(ops).toEqual([
      ['checkFinite', 'status', 'grad 2', 'loss 1', 'loss 2'],
      ['checkFinite', 'status', 'grad 3', 'loss 3'],
    ]);
  });
});
