import type { Value } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import { defineOp, expectSameShape, expectType } from './define.ts';

const norm = ({ data, size }: Operand): number => {
  let total = 0;
  for (let i = 0; i < size; i++) total += data[i] * data[i];
  return Math.sqrt(total);
};

const graftOp = defineOp({
  name: 'graft',
  infer: (tensors) =>
    tensors.flatMap((direction, i) => {
      if (i % 2 === 1) return [];
      expectType('graft', 'a direction', direction, 'f32');
      expectSameShape('graft', direction.shape, tensors[i + 1].shape);
      return [direction];
    }),
  kernel:
    ({ inputs, outputs }) =>
    () => {
      outputs.forEach((u, t) => {
        const [direction, step] = [inputs[2 * t], inputs[2 * t + 1]];
        const length = norm(direction);
        const scale = length === 0 ? 0 : norm(step) / length;
        for (let i = 0; i < u.size; i++) u.data[i] = scale * direction.data[i];
      });
    },
});

/** d · ‖s‖/‖d‖ for every direction d and step s, 0 where ‖d‖ = 0. */
export const graft = (directions: readonly Value[], steps: readonly Value[]): Value[] =>
  directions[0].graph.add(
    graftOp,
    directions.flatMap((d, i) => [d, steps[i]]),
    {},
  );
