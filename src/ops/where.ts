import type { Value } from '../graph/graph.ts';
import type { Scalar } from './binary.ts';
import { broadcastIndices, broadcastShapes, leadingRuns } from './broadcast.ts';
import { defineOp, expectType } from './define.ts';
import { withScalars } from './fill.ts';
import { sumTo } from './reduce.ts';
import { broadcastTo } from './views.ts';

const whereOp = defineOp({
  name: 'where',
  infer: (types) => {
    const names = ['a condition', 'its second operand', 'its third operand'];
    types.forEach((type, i) => {
      expectType('where', names[i], type, 'f32');
    });
    return [{ dtype: 'f32', shape: broadcastShapes('where', ...types.map(({ shape }) => shape)) }];
  },
  runs: ({ inputs, outputs: [y] }, i) => leadingRuns(inputs[i].shape, y.shape),
  inPlace: [
    [1, 0],
    [2, 0],
    [0, 0],
  ],
  gradient: ({ inputs: [condition, a, b] }, [dy]) =>
    dy && [
      undefined,
      sumTo(where(condition, dy, 0), a.shape),
      sumTo(where(condition, 0, dy), b.shape),
    ],
  tangent: ({ inputs: [condition], outputs: [y] }, [, ta, tb]) =>
    (ta ?? tb) && [broadcastTo(where(condition, ta ?? 0, tb ?? 0), y.shape)],
  kernel: ({ inputs: [condition, a, b], outputs: [y] }) => {
    const [cs, as, bs] = [condition, a, b].map(({ shape }) => broadcastIndices(shape, y.shape));
    return () => {
      for (let i = 0; i < y.size; i++) {
        y.data[i] = condition.data[cs[i]] !== 0 ? a.data[as[i]] : b.data[bs[i]];
      }
    };
  },
});

/** a where the condition is not 0, b elsewhere, of f32, broadcast as in NumPy; numbers are scalars. */
export function where(condition: Value, a: Scalar, b: Scalar): Value {
  const operands = withScalars('where', condition, a, b);
  return operands[0].graph.add(whereOp, operands, {})[0];
}
