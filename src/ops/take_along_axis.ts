import type { Value } from '../graph/graph.ts';
import { defineOp, expectType } from './define.ts';

const takeAlongAxisOp = defineOp<{ length: number; count: number; inner: number }>({
  name: 'takeAlongAxis',
  infer: ([x, index]) => {
    expectType('takeAlongAxis', 'its operand', x, 'f32', [null, null, null]);
    const [outer, , inner] = x.shape;
    expectType('takeAlongAxis', 'indices', index, 'i32', [outer, null, inner]);
    return [{ dtype: 'f32', shape: index.shape }];
  },
  runs: ({ inputs: [x] }, input) => (input === 0 ? x.shape[0] : 1),
  kernel:
    ({ inputs: [x, index], outputs: [y], attrs: { length, count, inner } }) =>
    () => {
      for (let at = 0; at < y.size; at++) {
        const k = index.data[at];
        const outer = Math.floor(at / (count * inner));
        const inside = k >= 0 && k < length;
        y.data[at] = inside ? x.data[(outer * length + k) * inner + (at % inner)] : 0;
      }
    },
});

/** x [outer, length, inner] by i32 indices [outer, count, inner] along its middle; 0 for an index outside. */
export const takeAlongAxis = (x: Value, index: Value): Value =>
  x.graph.add(takeAlongAxisOp, [x, index], {
    length: x.shape[1],
    count: index.shape[1],
    inner: x.shape[2],
  })[0];
