/** The rows of a table's gradient, added up by index, and SGD by them alone. */
import type { Moment } from '../../../src/graph/moment.ts';
import { embedding } from '../../../src/ops/embedding.ts';
import { gather, scatterAdd } from '../../../src/ops/gather.ts';
import { gradientRows, sgdRows } from '../../../src/ops/table_rows.ts';
import { f32, i32, random, randomIntegers } from '../data.ts';
import type { Case } from '../harness.ts';

/** Of rows with these indices, each once: its place, or −1. */
const placesOf = (indices: ArrayLike<number>, rows: number): number[] =>
  Array.from(indices, (index, r) =>
    index >= 0 && index < rows && Array.from(indices).indexOf(index) === r ? index : -1,
  );

/** [rows, width, batch, steps]: fewer tokens than rows. */
const SIZES = [
  [2, 1, 1, 1],
  [9, 3, 0, 4],
  [9, 0, 2, 3],
  [20, 5, 2, 9],
  [60, 17, 3, 11],
  [300, 33, 4, 25],
  [4000, 100, 30, 40],
] as const;

/** Few of them, so that many are equal, padding and some outside. */
const indicesOf = (count: number, rows: number): Int32Array =>
  randomIntegers(count, Math.max(1, Math.floor(rows / 3)), 3).map((index, i) =>
    i % 7 === 6 ? -1 : i % 11 === 10 ? rows + i : index,
  );

const sums = SIZES.map(
  ([rows, width, batch, steps]): Case => ({
    op: 'sumRows',
    name: `[${batch}, ${steps}] of [${rows}, ${width}]`,
    inputs: [
      f32([rows, width], random(rows * width)),
      f32([batch, steps, width], random(batch * steps * width, { seed: 2 })),
      i32([batch, steps], indicesOf(batch * steps, rows)),
    ],
    build: ([table, dy, indices]) => {
      const found = gradientRows(table, scatterAdd(dy, indices, table.shape));
      if (found === undefined) throw new Error('no rows');
      return [found.sums, found.at];
    },
    oracle: ([, dy, indices]) => {
      const at = placesOf(indices, rows);
      const total = at.flatMap((index) =>
        Array.from({ length: width }, (_, j) =>
          index === -1
            ? 0
            : indices.reduce((s, other, r) => (other === index ? s + dy[r * width + j] : s), 0),
        ),
      );
      return [total, at];
    },
    tolerance: { rel: 1e-6, abs: 1e-6 },
  }),
);

const MOMENTS: readonly Moment[] = [1, 2, 3].map((step) => ({
  step,
  epoch: 0,
  seed: 0,
  offset: 0,
}));

interface Setting {
  readonly weightDecay: number;
  readonly decoupled: number;
  readonly status?: readonly number[];
}

const SETTINGS: readonly Setting[] = [
  { weightDecay: 0, decoupled: 0 },
  { weightDecay: 0.1, decoupled: 0 },
  { weightDecay: 0.1, decoupled: 1 },
  { weightDecay: 0.1, decoupled: 0, status: [1, 0, 0, 0, 0, 0, 0, 0] },
];

const steps = SIZES.flatMap(([rows, width, batch, steps]) =>
  SETTINGS.map(({ weightDecay, decoupled, status = Array(8).fill(0) }): Case => {
    const at = placesOf(indicesOf(batch * steps, rows), rows);
    return {
      op: 'sgdRows',
      name: `${at.length} of [${rows}, ${width}], λ ${weightDecay}${decoupled ? ' decoupled' : ''}${status[0] ? ', stopped' : ''}`,
      inputs: [
        i32([8], status),
        f32([rows, width], random(rows * width)),
        f32([at.length, width], random(at.length * width, { seed: 2 })),
        i32([at.length], at),
      ],
      build: ([stop, table, g, places], graph) => {
        const lrSlot = graph.slot('lr', (m) => 0.05 / m.step).index;
        sgdRows(stop, table, { sums: g, at: places }, { lrSlot, weightDecay, decoupled });
        return [table];
      },
      oracle: ([, table, g], moments) => {
        const p = table.slice();
        for (const { step } of status[0] ? [] : moments) {
          const lr = 0.05 / step;
          p.forEach((v, i) => {
            const r = at.indexOf(Math.floor(i / width));
            const d = r === -1 ? 0 : g[r * width + (i % width)];
            p[i] = v - lr * d - lr * weightDecay * v;
          });
        }
        return [p];
      },
      moments: MOMENTS,
      tolerance: { rel: 2e-6, abs: 1e-6 },
    };
  }),
);

export const cases: Case[] = [
  ...sums,
  ...steps,
  {
    op: 'sumRows',
    name: 'of what rows were taken of, to the table',
    inputs: [f32([9, 2], random(18)), i32([4], [3, 8, 3, 0])],
    build: ([table, indices], graph) => {
      const dy = graph.stored('dy', { dtype: 'f32', shape: [4, 2] });
      const grads = [embedding, gather].map((take) => {
        const { node } = take(table, indices);
        const [grad] = node?.op.gradient?.(node, [dy]) ?? [];
        return grad && gradientRows(table, grad);
      });
      return grads.flatMap((rows) => (rows === undefined ? [] : [rows.at]));
    },
    oracle: () => [
      [3, 8, -1, 0],
      [3, 8, -1, 0],
    ],
  },
];
