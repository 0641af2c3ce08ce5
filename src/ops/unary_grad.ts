import type { Value } from '../graph/graph.ts';
import { mul, plus } from './binary.ts';
import { defineOp, expectSameShape, expectType } from './define.ts';

/**
 * dx from dy and from y, or from x, whichever f′ is simplest in terms of; `second` is its derivative by y, `undefined`
 * where that is 0.
 */
export function unaryGrad(
  name: string,
  f: (y: number, dy: number) => number,
  second: (y: Value, dy: Value) => Value | undefined,
): (y: Value, dy: Value) => Value {
  const op = defineOp({
    name,
    infer: ([y, dy]) => {
      expectType(name, 'a value', y, 'f32');
      expectSameShape(name, y.shape, dy.shape);
      return [dy];
    },
    inPlace: [[1, 0]],
    tangent: ({ op, inputs: [y, dy] }, [ty, tdy]) => {
      const slope = ty && second(y, dy);
      return [plus(tdy?.graph.add(op, [y, tdy], {})[0], slope && mul(ty, slope))];
    },
    kernel:
      ({ inputs: [y, dy], outputs: [dx] }) =>
      () => {
        for (let i = 0; i < dx.size; i++) dx.data[i] = f(y.data[i], dy.data[i]);
      },
  });
  return (y, dy) => y.graph.add(op, [y, dy], {})[0];
}
