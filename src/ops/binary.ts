import type { Value } from '../graph/graph.ts';
import { type Shape, sizeOf } from '../graph/types.ts';
import { defineOp, expectType, graphOf, shapeError } from './define.ts';
import { affine, neg, unary } from './elementwise.ts';
import { sumTo } from './reduce.ts';
import { broadcastTo } from './strided.ts';

/** An elementwise function of two tensors, broadcast as in NumPy. */
function binary(
  name: string,
  f: (a: number, b: number) => number,
  gradient: (a: Value, b: Value, dy: Value) => readonly [Value | undefined, Value | undefined],
): (a: Value, b: Value) => Value {
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
    gradient: ({ inputs: [a, b] }, [dy]) => {
      if (dy === undefined) return [];
      const [da, db] = gradient(a, b, dy);
      return [da && sumTo(da, a.shape), db && sumTo(db, b.shape)];
    },
    // The derivatives by a and b are diagonal: a tangent goes the way of dy.
    tangent: ({ inputs: [a, b], outputs: [y] }, [ta, tb]) => {
      const dy = plus(ta && gradient(a, b, ta)[0], tb && gradient(a, b, tb)[1]);
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
  return (a, b) => graphOf(name, a, b).add(op, [a, b], {})[0];
}

function broadcastShapes(name: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const p = a[a.length - rank + i] ?? 1;
    const q = b[b.length - rank + i] ?? 1;
    if (p !== q && p !== 1 && q !== 1) {
      throw shapeError(
        `${name} cannot broadcast [${a.join(', ')}] with [${b.join(', ')}]: dimensions must be equal or 1`,
      );
    }
    return p === 1 ? q : p;
  });
}

/** Product of the leading dimensions in which a broadcast shape is that of `out`. */
function leadingRuns(shape: Shape, out: Shape): number {
  const missing = out.length - shape.length;
  const end = out.findIndex((d, i) => d !== (shape[i - missing] ?? 1));
  return sizeOf(end === -1 ? out : out.slice(0, end));
}

/** Elements to advance for each dimension of `out`; 0 where `shape` is repeated. */
function broadcastStrides(shape: Shape, out: Shape): Int32Array {
  const strides = new Int32Array(out.length);
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[out.length - shape.length + d] = shape[d] === 1 ? 0 : stride;
    stride *= shape[d];
  }
  return strides;
}

/** 1 where a ≥ b, 0 elsewhere; no gradient flows. */
export const greaterEqual = binary(
  'greaterEqual',
  (a, b) => (a >= b ? 1 : 0),
  () => [undefined, undefined],
);
const less = binary(
  'less',
  (a, b) => (a < b ? 1 : 0),
  () => [undefined, undefined],
);

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
