import { wrongArgument } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import { equal } from './binary.ts';
import { defineOp, expectNumbers, expectType, graphOf } from './define.ts';
import { where } from './where.ts';

/** dx where x is within its limits, 0 elsewhere. */
const inside = (x: Value, y: Value, dx: Value): Value => where(equal(x, y), dx, 0);

const clipOp = defineOp<{ min: number; max: number }>({
  name: 'clip',
  infer: ([x]) => {
    expectType('clip', 'its operand', x, 'f32');
    return [x];
  },
  runs: ({ inputs: [x] }) => x.size,
  inPlace: [[0, 0]],
  gradient: ({ inputs: [x], outputs: [y] }, [dy]) => [dy && inside(x, y, dy)],
  tangent: ({ inputs: [x], outputs: [y] }, [dx]) => [dx && inside(x, y, dx)],
  kernel:
    ({ inputs: [x], outputs: [y], attrs: { min, max } }) =>
    () => {
      for (let i = 0; i < y.size; i++) {
        y.data[i] = Math.min(Math.max(x.data[i], min), max);
      }
    },
});

/** x within [min, max]; NaN stays, `max` wins over a larger `min`, and the gradient is that of x at the limits too. */
export function clip(x: Value, min = -Infinity, max = Infinity): Value {
  const graph = graphOf('clip', x);
  expectNumbers('clip', { min, max });
  // Limits are what they are in float32, where x is compared with them.
  const [low, high] = [Math.fround(min), Math.fround(max)];
  for (const limit of [low, high]) {
    if (Number.isNaN(limit)) throw wrongArgument('A limit of clip', 'a number but NaN', limit);
  }
  return graph.add(clipOp, [x], { min: low, max: high })[0];
}
