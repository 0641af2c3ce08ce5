import { wrongArgument } from '../arguments.ts';
import type { Graph, Value } from '../graph/graph.ts';
import type { Shape } from '../graph/types.ts';
import { defineOp, expectDims, expectNumbers } from './define.ts';

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
export function fill(graph: Graph, shape: Shape, value: number): Value {
  if (typeof graph?.add !== 'function') {
    throw wrongArgument('The graph of fill', 'that of a traced value, x.graph', graph);
  }
  expectDims('fill', shape);
  expectNumbers('fill', { value });
  return graph.add(fillOp, [], { shape, value })[0];
}
