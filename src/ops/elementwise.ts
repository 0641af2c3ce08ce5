import type { Value } from '../graph/graph.ts';
import { defineOp, expectNumbers, expectType, graphOf } from './define.ts';

/** An elementwise function with its gradient as traced ops of x, y = f(x) and dy. */
export function unary(
  name: string,
  f: (x: number) => number,
  gradient: (x: Value, y: Value, dy: Value) => Value | undefined,
): (x: Value) => Value {
  const op = defineOp({
    name,
    infer: ([x]) => {
      expectType(name, 'its operand', x, 'f32');
      return [x];
    },
    runs: ({ inputs: [x] }) => x.size,
    inPlace: [[0, 0]],
    gradient: ({ inputs: [x], outputs: [y] }, [dy]) => [dy && gradient(x, y, dy)],
    // The derivative is diagonal: a tangent goes the way of dy.
    tangent: ({ inputs: [x], outputs: [y] }, [dx]) => [dx && gradient(x, y, dx)],
    kernel:
      ({ inputs: [x], outputs: [y] }) =>
      () => {
        for (let i = 0; i < y.size; i++) y.data[i] = f(x.data[i]);
      },
  });
  return (x) => graphOf(name, x).add(op, [x], {})[0];
}

const affineOp = defineOp<{ scale: number; shift: number }>({
  name: 'affine',
  infer: ([x]) => {
    expectType('affine', 'its operand', x, 'f32');
    return [x];
  },
  runs: ({ inputs: [x] }) => x.size,
  inPlace: [[0, 0]],
  gradient: ({ attrs }, [dy]) => [dy && affine(dy, attrs.scale)],
  tangent: ({ attrs }, [dx]) => [dx && affine(dx, attrs.scale)],
  kernel:
    ({ inputs: [x], outputs: [y], attrs: { scale, shift } }) =>
    () => {
      for (let i = 0; i < y.size; i++) y.data[i] = x.data[i] * scale + shift;
    },
});

/** scale · x + shift with constants. */
export function affine(x: Value, scale: number, shift = 0): Value {
  const graph = graphOf('affine', x);
  expectNumbers('affine', { scale, shift });
  return graph.add(affineOp, [x], { scale, shift })[0];
}

export const neg = (x: Value): Value => affine(x, -1);
