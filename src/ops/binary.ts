import type { Value } from '../graph/graph.ts';
import { broadcastShapes, broadcastStrides, leadingRuns } from './broadcast.ts';
import { defineOp, expectType } from './define.ts';
import { affine, neg, unary } from './elementwise.ts';
import { withScalars } from './fill.ts';
import { sumTo } from './reduce.ts';
import { broadcastTo } from './views.ts';

/** A traced value, or a number as a scalar. */
export type Scalar = Value | number;

/** An elementwise function of two tensors, broadcast as in NumPy. */
export function binary(
  name: string,
  f: (a: number, b: number) => number,
  gradient: (
    a: Value,
    b: Value,
    dy: Value,
    y: Value,
  ) => readonly [Value | undefined, Value | undefined],
): (a: Scalar, b: Scalar) => Value {
  const op = defineOp({
    name,
    infer: ([a, b]) => {
      expectType(name, 'its first operand', a, 'f32');
      expectType(name, 'its second operand', b, 'f32');
      return [{ dtype: 'f32', shape: broadcastShapes(name, a.shape, b.shape) }];
    },
    runs: ({ inputs, outputs: [y] }, i) => leadingRuns(inputs[i].shape, y.shape),
    inPlace: [
      [0, 0],
      [1, 0],
    ],
    gradient: ({ inputs: [a, b], outputs: [y] }, [dy]) => {
      if (dy === undefined) return [];
      const [da, db] = gradient(a, b, dy, y);
      return [da && sumTo(da, a.shape), db && sumTo(db, b.shape)];
    },
    // The derivatives by a and b are diagonal: a tangent goes the way of dy.
    tangent: ({ inputs: [a, b], outputs: [y] }, [ta, tb]) => {
      const dy = plus(ta && gradient(a, b, ta, y)[0], tb && gradient(a, b, tb, y)[1]);
      return [dy && broadcastTo(dy, y.shape)];
    },
    kernel: ({ inputs: [a, b], outputs: [y] }) => {
      const as = broadcastStrides(a.shape, y.shape);
      const bs = broadcastStrides(b.shape, y.shape);
      const index = new Int32Array(y.shape.length);
      return () => {
        index.fill(0);
        let i = 0;
        let j = 0;
        for (let k = 0; k < y.size; k++) {
          y.data[k] = f(a.data[i], b.data[j]);
          for (let d = y.shape.length - 1; d >= 0; d--) {
            i += as[d];
            j += bs[d];
            if (++index[d] < y.shape[d]) break;
            i -= as[d] * y.shape[d];
            j -= bs[d] * y.shape[d];
            index[d] = 0;
          }
        }
      };
    },
  });
  return (a, b) => {
    const operands = withScalars(name, a, b);
    return operands[0].graph.add(op, operands, {})[0];
  };
}

/**
 * A relation as 1 or 0 in float32: what comes out is multiplied, summed and averaged as it is, by the kernels that there
 * are. No gradient flows; with NaN all but `notEqual` are 0.
 */
const relation = (name: string, holds: (a: number, b: number) => boolean) =>
  binary(
    name,
    (a, b) => (holds(a, b) ? 1 : 0),
    () => [undefined, undefined],
  );

/** 1 where a < b, 0 elsewhere. */
export const less = relation('less', (a, b) => a < b);
/** 1 where a ≥ b, 0 elsewhere. */
export const greaterEqual = relation('greaterEqual', (a, b) => a >= b);
/** 1 where a > b, 0 elsewhere. */
export const greater = (a: Scalar, b: Scalar): Value => less(b, a);
/** 1 where a ≤ b, 0 elsewhere. */
export const lessEqual = (a: Scalar, b: Scalar): Value => greaterEqual(b, a);
/** 1 where a = b, 0 elsewhere. */
export const equal = relation('equal', (a, b) => a === b);
/** 1 where a ≠ b, 0 elsewhere. */
export const notEqual = relation('notEqual', (a, b) => a !== b);
/** 1 where neither a nor b is 0, 0 elsewhere. */
export const logicalAnd = relation('logicalAnd', (a, b) => a !== 0 && b !== 0);
/** 1 where a or b is not 0, 0 elsewhere. */
export const logicalOr = relation('logicalOr', (a, b) => a !== 0 || b !== 0);
/** 1 where x is 0, 0 elsewhere. */
export const logicalNot = (x: Value): Value => equal(x, 0);

export const add = binary(
  'add',
  (a, b) => a + b,
  (_a, _b, dy) => [dy, dy],
);
export const sub = binary(
  'sub',
  (a, b) => a - b,
  (_a, _b, dy) => [dy, neg(dy)],
);
export const mul = binary(
  'mul',
  (a, b) => a * b,
  (a, b, dy) => [mul(dy, b), mul(dy, a)],
);
/** x · x; it stands here since the gradient of a quotient takes it. */
export const square = unary(
  'square',
  (x) => x * x,
  (x, _, dy) => mul(dy, affine(x, 2)),
);
export const div = binary(
  'div',
  (a, b) => a / b,
  (a, b, dy) => [div(dy, b), neg(div(mul(dy, a), square(b)))],
);
/** The larger of the two; equal elements send the gradient to the first. */
export const maximum = binary('maximum', Math.max, (a, b, dy) => [
  mul(dy, greaterEqual(a, b)),
  mul(dy, less(a, b)),
]);
/** The smaller of the two; equal elements send the gradient to the first. */
export const minimum = binary('minimum', Math.min, (a, b, dy) => [
  mul(dy, greaterEqual(b, a)),
  mul(dy, less(b, a)),
]);

/** The sum of tangents, of which `undefined` is zero. */
export const plus = (a: Value | undefined, b: Value | undefined): Value | undefined =>
  a && b ? add(a, b) : (a ?? b);
