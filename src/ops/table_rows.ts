import type { Value } from '../graph/graph.ts';
import { type Shape, sizeOf } from '../graph/types.ts';
import { defineOp, expectType, f32, i32 } from './define.ts';
import { scatterAddOp } from './gather.ts';
import { standsStill } from './status.ts';

const sumRowsOp = defineOp({
  name: 'sumRows',
  infer: ([dy, indices, table]) => {
    expectType('sumRows', 'a table', table, 'f32', [null, null]);
    expectType('sumRows', 'indices', indices, 'i32');
    expectType('sumRows', 'rows', dy, 'f32', [...indices.shape, table.shape[1]]);
    const count = sizeOf(indices.shape);
    return [f32(count, table.shape[1]), i32(count)];
  },
  kernel: ({ inputs: [dy, indices, table], outputs: [sums, at] }) => {
    const [count, width] = sums.shape;
    const [rows] = table.shape;
    return () => {
      const first = new Map<number, number>();
      sums.data.fill(0);
      for (let r = 0; r < count; r++) {
        const index = indices.data[r];
        const known = first.get(index);
        at.data[r] = -1;
        if (index < 0 || index >= rows) continue;
        if (known === undefined) {
          first.set(index, r);
          at.data[r] = index;
        }
        const to = (known ?? r) * width;
        for (let j = 0; j < width; j++) sums.data[to + j] += dy.data[r * width + j];
      }
    };
  },
});

/** The rows of a gradient [rows, …] that are not 0, or a batch's that may not be. */
export interface TableRows {
  /** [n, width]: each row once, and rows of 0. */
  readonly sums: Value;
  /** i32 [n]: where each stands in the table, −1 for those of 0. */
  readonly at: Value;
}

/** The rows of the gradient of a table that rows were taken of, fewer than it has; `undefined` for other gradients. */
export function gradientRows(table: Value, grad: Value): TableRows | undefined {
  const { node } = grad;
  if (node === undefined || node.op !== (scatterAddOp as unknown)) return undefined;
  const [dy, indices] = node.inputs;
  if (table.shape.length !== 2 || indices.size >= table.shape[0]) return undefined;
  const [sums, at] = grad.graph.add(sumRowsOp, [dy, indices, table], {});
  return { sums, at };
}

/** Whether the table has this row. */
const isIn = (index: number, [rows]: Shape): boolean => index >= 0 && index < rows;

const sgdRowsOp = defineOp<{ lrSlot: number; weightDecay: number; decoupled: number }>({
  name: 'sgdRows',
  infer: ([status, table, g, at]) => {
    expectType('sgdRows', 'a status block', status, 'i32', [8]);
    expectType('sgdRows', 'a table', table, 'f32', [null, null]);
    expectType('sgdRows', 'rows of the gradient', g, 'f32', [null, table.shape[1]]);
    expectType('sgdRows', 'places', at, 'i32', [g.shape[0]]);
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, table, g, at], attrs: { lrSlot, weightDecay, decoupled } }) => {
    const [count, width] = g.shape;
    return (row) => {
      if (standsStill(status)) return;
      const lr = row[lrSlot];
      const coupled = decoupled ? 0 : weightDecay;
      const shrink = decoupled ? lr * weightDecay : 0;
      const next = (p: number, g: number) => p - (lr * (g + coupled * p) + shrink * p);
      const moved = g.data.map((d, i) => {
        const index = at.data[Math.floor(i / width)];
        return isIn(index, table.shape) ? next(table.data[index * width + (i % width)], d) : 0;
      });
      if (weightDecay !== 0) {
        for (let i = 0; i < table.size; i++) table.data[i] = next(table.data[i], 0);
      }
      for (let r = 0; r < count; r++) {
        if (!isIn(at.data[r], table.shape)) continue;
        table.data.set(moved.subarray(r * width, (r + 1) * width), at.data[r] * width);
      }
    };
  },
});

/** SGD without momentum, by the rows of a gradient that are not 0: what `sgd` makes of the whole. */
export function sgdRows(
  status: Value,
  table: Value,
  { sums, at }: TableRows,
  attrs: { lrSlot: number; weightDecay: number; decoupled: number },
): void {
  status.graph.add(sgdRowsOp, [status, table, sums, at], attrs);
}
