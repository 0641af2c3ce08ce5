import { wrongArgument } from '../arguments.ts';
import { type Graph, Value } from '../graph/graph.ts';
import type { Shape } from '../graph/types.ts';
import { defineOp, expectDims, expectNumbers, graphOf } from './define.ts';

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

/** Operands of which one at least is traced: numbers stand for scalars. */
export function withScalars(op: string, ...operands: readonly (Value | number)[]): Value[] {
  const traced = operands.find((operand) => operand instanceof Value);
  const values = operands.map((x) =>
    typeof x === 'number' && traced !== undefined ? fill(traced.graph, [], x) : x,
  );
  graphOf(op, ...values);
  return values as Value[];
}
