import type { Value } from '../graph/graph.ts';
import { type Shape, showType, sizeOf } from '../graph/types.ts';
import { defineOp, expectDims, graphOf, shapeError } from './define.ts';

const reshapeOp = defineOp<{ shape: readonly number[] }>({
  name: 'reshape',
  alias: true,
  infer: ([x], { shape }) => {
    if (sizeOf(x.shape) !== sizeOf(shape)) {
      throw shapeError(`reshape of ${showType(x)} to [${shape.join(', ')}] changes the size`);
    }
    return [{ dtype: x.dtype, shape }];
  },
  runs: ({ inputs: [x] }) => x.size,
  gradient: ({ inputs: [x] }, [dy]) => [dy && reshape(dy, x.shape)],
  tangent: ({ attrs }, [dx]) => [dx && reshape(dx, attrs.shape)],
  kernel: () => () => {},
});

/** The same elements under another shape, without a copy. One dimension may be −1: what is left. */
export function reshape(x: Value, shape: Shape): Value {
  graphOf('reshape', x);
  expectDims('reshape', shape, -1);
  const known = shape.filter((d) => d !== -1).reduce((n, d) => n * d, 1);
  const full = shape.map((d) => (d === -1 ? x.size / Math.max(1, known) : d));
  return x.graph.add(reshapeOp, [x], { shape: full })[0];
}

/** [n, …] to [n, product of the others]. */
export function flatten(x: Value): Value {
  graphOf('flatten', x);
  const [rows, ...rest] = x.shape;
  if (rows === undefined) throw shapeError('flatten expects rows first, got a scalar');
  return reshape(x, [rows, sizeOf(rest)]);
}
