import type { Value } from '../graph/graph.ts';
import { defineOp, expectSameShape, expectType } from './define.ts';
import { standsStill } from './status.ts';

const momentumOp = defineOp<{ momentum: number; nesterov: number }>({
  name: 'momentum',
  infer: ([status, ...tensors]) => {
    expectType('momentum', 'a status block', status, 'i32', [8]);
    return tensors.flatMap((g, i) => {
      if (i % 2 === 1) return [];
      expectType('momentum', 'gradients', g, 'f32');
      expectSameShape('momentum', g.shape, tensors[i + 1].shape);
      return [g];
    });
  },
  mutates: true,
  kernel:
    ({ inputs: [status, ...tensors], outputs, attrs: { momentum, nesterov } }) =>
    () => {
      const still = standsStill(status);
      outputs.forEach((u, t) => {
        const [g, v] = [tensors[2 * t], tensors[2 * t + 1]];
        for (let i = 0; i < u.size; i++) {
          const next = momentum * v.data[i] + g.data[i];
          u.data[i] = nesterov ? g.data[i] + momentum * next : next;
          if (!still) v.data[i] = next;
        }
      });
    },
});

/** v ← μv + g, unless the status block is set; returns v, or g + μv with Nesterov's form, of every tensor. */
export const momentum = (
  status: Value,
  tensors: readonly { grad: Value; velocity: Value }[],
  options: { momentum: number; nesterov: boolean },
): Value[] =>
  status.graph.add(
    momentumOp,
    [status, ...tensors.flatMap(({ grad, velocity }) => [grad, velocity])],
    { momentum: options.momentum, nesterov: Number(options.nesterov) },
  );
