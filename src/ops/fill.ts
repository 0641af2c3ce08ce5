import type { Graph, Value } from '../graph/graph.ts';
import type { Shape } from '../graph/types.ts';
import { defineOp } from './define.ts';

const fillOp = defineOp<{ shape: readonly number[]; value: number }>({
  name: 'fill',
  infer: (_, { shape }) => [{ dtype: 'f32', shape }],
  kernel:
    ({ outputs: [y], attrs }) =>
    () => {
      y.data.fill(attrs.value);
    },
});

/** A tensor of equal elements. */
export const fill = (graph: Graph, shape: Shape, value: number): Value =>
  graph.add(fillOp, [], { shape, value })[0];
