/** Operands of different shapes walked together, as in NumPy. */
import { type Shape, sizeOf } from '../graph/types.ts';
import { shapeError } from './define.ts';

/** The common shape of operands; throws where there is none. */
export const broadcastShapes = (name: string, ...shapes: readonly Shape[]): Shape =>
  shapes.reduce((a, b) => both(name, a, b));

function both(name: string, a: Shape, b: Shape): Shape {
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
export function leadingRuns(shape: Shape, out: Shape): number {
  const missing = out.length - shape.length;
  const end = out.findIndex((d, i) => d !== (shape[i - missing] ?? 1));
  return sizeOf(end === -1 ? out : out.slice(0, end));
}

/** Elements to advance for each dimension of `out`; 0 where `shape` is repeated. */
export function broadcastStrides(shape: Shape, out: Shape): Int32Array {
  const strides = new Int32Array(out.length);
  let stride = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    strides[out.length - shape.length + d] = shape[d] === 1 ? 0 : stride;
    stride *= shape[d];
  }
  return strides;
}

/** The operand's element for each of `out`. */
export function broadcastIndices(shape: Shape, out: Shape): Int32Array {
  const strides = broadcastStrides(shape, out);
  const index = new Int32Array(out.length);
  let at = 0;
  return new Int32Array(sizeOf(out)).map(() => {
    const own = at;
    for (let d = out.length - 1; d >= 0; d--) {
      at += strides[d];
      if (++index[d] < out[d]) break;
      at -= strides[d] * out[d];
      index[d] = 0;
    }
    return own;
  });
}
