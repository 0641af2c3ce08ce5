import { checkNames, wrongArgument } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import type { Slot } from '../graph/moment.ts';
import { type Shape, showType, sizeOf, type TensorType } from '../graph/types.ts';
import { defineOp, expectType, graphOf, shapeError } from './define.ts';

const rowsType = (op: string, table: TensorType, rows: Shape): TensorType => {
  if (table.shape.length === 0) throw shapeError(`${op} expects rows, got ${showType(table)}`);
  return { dtype: table.dtype, shape: [...rows, ...table.shape.slice(1)] };
};

/** y[r] ← table[indexOf(r)]; NaN outside the table, 0 for integers. */
function copyRows(table: Operand, y: Operand, indexOf: (r: number) => number): void {
  const [count] = table.shape;
  const width = sizeOf(table.shape.slice(1));
  for (let r = 0; r * width < y.size; r++) {
    const index = indexOf(r);
    const row = y.data.subarray(r * width, (r + 1) * width);
    if (index >= 0 && index < count) {
      row.set(table.data.subarray(index * width, (index + 1) * width));
    } else {
      row.fill(table.dtype === 'f32' ? NaN : 0);
    }
  }
}

const gatherOp = defineOp({
  name: 'gather',
  infer: ([table, indices]) => {
    expectType('gather', 'indices', indices, 'i32');
    return [rowsType('gather', table, indices.shape)];
  },
  gradient: ({ inputs: [table, indices] }, [dy]) => [
    dy && scatterAdd(dy, indices, table.shape),
    undefined,
  ],
  tangent: ({ inputs: [, indices] }, [dtable]) => [dtable && gather(dtable, indices)],
  kernel:
    ({ inputs: [table, indices], outputs: [y] }) =>
    () =>
      copyRows(table, y, (r) => indices.data[r]),
});

export const scatterAddOp = defineOp<{ shape: readonly number[] }>({
  name: 'scatterAdd',
  infer: ([dy], { shape }) => [{ dtype: dy.dtype, shape }],
  tangent: ({ op, inputs: [, indices], attrs }, [tdy]) => [
    tdy?.graph.add(op, [tdy, indices], attrs)[0],
  ],
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
  graphOf('gather', table, indices).add(gatherOp, [table, indices], {})[0];

const batchRowsOp = defineOp<{ rows: number; offsetSlot: number }>({
  name: 'batchRows',
  infer: ([table, order], { rows }) => {
    expectType('batchRows', 'an order', order, 'i32', [null]);
    return [rowsType('batchRows', table, [rows])];
  },
  kernel:
    ({ inputs: [table, order], outputs: [y], attrs: { offsetSlot } }) =>
    (row) =>
      copyRows(table, y, (r) => order.data[row[offsetSlot] + r] ?? -1),
});

/**
 * A batch: the rows of table [n, …] that `rows` entries of order i32 [m] name, from the slot's offset on → [rows, …].
 * Past the order's end, and for an entry outside 0 … n − 1, a row is NaN (0 for integers).
 */
export const batchRows = (table: Value, order: Value, offset: Slot, rows: number): Value =>
  table.graph.add(batchRowsOp, [table, order], { rows, offsetSlot: offset.index })[0];

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
  runs: ({ inputs: [x] }) => x.size,
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
export function normalise(x: Value, affine: Affine): Value {
  const graph = graphOf('normalise', x);
  checkNames<Affine>('normalise', affine, { scale: true, shift: true });
  const { scale, shift } = affine;
  for (const [name, list] of Object.entries({ scale, shift })) {
    if (Array.isArray(list) && list.every((v) => typeof v === 'number')) continue;
    throw wrongArgument(`${name} of normalise`, 'a list of numbers', list);
  }
  return graph.add(normaliseOp, [x], { scale, shift })[0];
}

/** For all channels one number each, or one for each. */
interface Affine {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}
