import type { Slot, Value } from '../graph/graph.ts';
import { type Shape, showType, sizeOf } from '../graph/types.ts';
import { defineOp, expectType, shapeError } from './define.ts';

const gatherOp = defineOp({
  name: 'gather',
  infer: ([table, indices]) => {
    expectType('gather', 'indices', indices, 'i32');
    if (table.shape.length === 0) throw shapeError(`gather expects rows, got ${showType(table)}`);
    return [{ dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] }];
  },
  gradient: ({ inputs: [table, indices] }, [dy]) => [
    dy && scatterAdd(dy, indices, table.shape),
    undefined,
  ],
  tangent: ({ inputs: [, indices] }, [dtable]) => [dtable && gather(dtable, indices)],
  kernel: ({ inputs: [table, indices], outputs: [y] }) => {
    const [count] = table.shape;
    const width = sizeOf(table.shape.slice(1));
    return () => {
      for (let r = 0; r < indices.size; r++) {
        const index = indices.data[r];
        const row = y.data.subarray(r * width, (r + 1) * width);
        if (index >= 0 && index < count) {
          row.set(table.data.subarray(index * width, (index + 1) * width));
        } else {
          row.fill(table.dtype === 'f32' ? NaN : 0);
        }
      }
    };
  },
});

const scatterAddOp = defineOp<{ shape: readonly number[] }>({
  name: 'scatterAdd',
  infer: ([dy], { shape }) => [{ dtype: dy.dtype, shape }],
  kernel: ({ inputs: [dy, indices], outputs: [dtable], attrs: { shape } }) => {
    const width = sizeOf(shape.slice(1));
    return () => {
      dtable.data.fill(0);
      for (let r = 0; r < indices.size; r++) {
        const index = indices.data[r];
        if (index < 0 || index >= shape[0]) continue; // guard
        for (let j = 0; j < width; j++) dtable.data[index * width + j] += dy.data[r * width + j];
      }
    };
  },
});

/** Σ of the rows of dy […, width] that have the index of a table's row, for each row; others go nowhere. */
export const scatterAdd = (dy: Value, indices: Value, shape: Shape): Value =>
  dy.graph.add(scatterAddOp, [dy, indices], { shape })[0];

/**
 * Rows of a table: table [n, …] of any dtype, indices i32 […] → [indices…, …].
 * An index outside 0 … n − 1 gives a row of NaN (0 for integers).
 */
export const gather = (table: Value, indices: Value): Value =>
  table.graph.add(gatherOp, [table, indices], {})[0];

const batchIndicesOp = defineOp<{ rows: number; offsetSlot: number }>({
  name: 'batchIndices',
  infer: ([order], { rows }) => {
    expectType('batchIndices', 'an order', order, 'i32', [null]);
    return [{ dtype: 'i32', shape: [rows] }];
  },
  kernel:
    ({ inputs: [order], outputs: [y], attrs: { rows, offsetSlot } }) =>
    (row) => {
      const offset = row[offsetSlot];
      for (let r = 0; r < rows; r++) {
        const at = offset + r;
        y.data[r] = at >= 0 && at < order.size ? order.data[at] : -1;
      }
    },
});

/** `rows` entries of `order` from the slot's offset on; −1 past its end. */
export const batchIndices = (order: Value, offset: Slot, rows: number): Value =>
  order.graph.add(batchIndicesOp, [order], { rows, offsetSlot: offset.index })[0];

const normaliseOp = defineOp<{ scale: readonly number[]; shift: readonly number[] }>({
  name: 'normalise',
  infer: ([x], { scale, shift }) => {
    if (x.dtype !== 'u8' && x.dtype !== 'f32') {
      throw shapeError(`normalise expects u8 or f32, got ${showType(x)}`);
    }
    if (scale.length !== shift.length || (scale.length !== 1 && scale.length !== x.shape[1])) {
      throw shapeError(
        `normalise expects one scale and shift, or one for each channel of ${showType(x)}, got ${scale.length} and ${shift.length}`,
      );
    }
    return [{ dtype: 'f32', shape: x.shape }];
  },
  kernel: ({ inputs: [x], outputs: [y], attrs: { scale, shift } }) => {
    const plane = sizeOf(x.shape.slice(2));
    return () => {
      for (let i = 0; i < y.size; i++) {
        const c = scale.length === 1 ? 0 : Math.floor(i / plane) % scale.length;
        y.data[i] = x.data[i] * scale[c] + shift[c];
      }
    };
  },
});

/** x · scale[c] + shift[c] as f32: x u8 or f32 [n, c, …], one pair for all or one a channel. */
export const normalise = (
  x: Value,
  { scale, shift }: { scale: readonly number[]; shift: readonly number[] },
): Value => x.graph.add(normaliseOp, [x], { scale, shift })[0];
