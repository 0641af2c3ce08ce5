import { batchRows, gather, normalise } from '../../../src/ops/gather.ts';
import { CHUNK, f32, i32, random, randomIntegers, u8 } from '../data.ts';
import type { Case } from '../harness.ts';

/** [rows of the table, their width, indices] */
const TABLES = [
  [0, 3, 0],
  [1, 1, 1],
  [5, 0, 4],
  [5, 1, 9],
  [7, 3, 17],
  [7, 4, 0],
  [9, 17, 33],
  [100, 64, 701],
  [3000, 16, 50],
  [40, CHUNK + 3, 5],
] as const;

const gathers = TABLES.flatMap(([count, width, reads]) => {
  const indices = i32([reads], randomIntegers(reads, count, 3));
  const rows = (table: Float64Array, at: Float64Array): number[] =>
    [...at].flatMap((r) => [...table.subarray(r * width, (r + 1) * width)]);
  return [f32, u8, i32].map(
    (dtype): Case => ({
      op: 'gather',
      name: `${reads} of [${count}, ${width}] ${dtype.name}`,
      inputs: [dtype([count, width], random(count * width, { low: 0, high: 255 })), indices],
      build: ([table, at]) => [gather(table, at)],
      oracle: ([table, at]) => [rows(table, at)],
      gradient: dtype === f32 ? [0] : undefined,
      tolerance: { rel: 0 },
    }),
  );
});

const outside = i32([2, 2], [1, -1, 3, 2_000_000_000]);

const batches = [0, 1, 5, 33].flatMap((rows) =>
  [0, 7, 30, -2].flatMap((offset) =>
    [f32, u8, i32].flatMap((dtype) =>
      [1, 3, 64].map(
        (width): Case => ({
          op: 'batchRows',
          name: `${rows} rows of [20, ${width}] ${dtype.name} from ${offset}`,
          // Beyond the table, too: 20 and −1.
          inputs: [
            dtype([20, width], random(20 * width, { low: 0, high: 255 })),
            i32([33], [20, -1, ...randomIntegers(31, 20)]),
          ],
          build: ([table, order], graph) => [
            batchRows(
              table,
              order,
              graph.slot('offset', (m) => m.offset),
              rows,
            ),
          ],
          oracle: ([table, order]) => [
            Array.from({ length: rows * width }, (_, i) => {
              const index = order[offset + Math.floor(i / width)] ?? -1;
              const outside = dtype === f32 ? NaN : 0;
              return index >= 0 && index < 20 ? table[index * width + (i % width)] : outside;
            }),
          ],
          moments: [{ step: 1, epoch: 0, seed: 0, offset }],
          tolerance: { rel: 0 },
        }),
      ),
    ),
  ),
);

const normalised = (
  [
    [[0, 3, 2], 3],
    [[1], 1],
    [[5, 17], 17],
    [[5, 17], 1],
    [[2, 3, 4, 5], 3],
    [[3, 1, 28, 28], 1],
    [[9, 3, 32, 32], 3],
    [[40, 1031], 1],
    [[4, 2, 3 * CHUNK], 2],
  ] as const
).flatMap(([shape, channels]) =>
  [u8, f32].map((dtype): Case => {
    const size = shape.reduce((n: number, d: number) => n * d, 1);
    const plane = shape.slice(2).reduce((n: number, d: number) => n * d, 1);
    const scale = Array.from({ length: channels }, (_, c) => (c + 1) / 255);
    const shift = Array.from({ length: channels }, (_, c) => 0.5 - 0.25 * c);
    return {
      op: 'normalise',
      name: `[${shape}] ${dtype.name} by ${channels}`,
      inputs: [dtype(shape, random(size, { low: 0, high: 255 }))],
      build: ([x]) => [normalise(x, { scale, shift })],
      oracle: ([x]) => [
        x.map((v, i) => {
          const c = channels === 1 ? 0 : Math.floor(i / plane) % channels;
          return v * scale[c] + shift[c];
        }),
      ],
      tolerance: { rel: 1e-6, abs: 1e-6 },
    };
  }),
);

export const cases: Case[] = [
  ...gathers,
  ...batches,
  ...normalised,
  {
    op: 'gather',
    name: 'indices outside the table',
    inputs: [f32([3, 2], [1, 2, 3, 4, 5, 6]), outside],
    build: ([table, at]) => [gather(table, at)],
    oracle: ([table]) => [[table[2], table[3], NaN, NaN, NaN, NaN, NaN, NaN]],
    gradient: [0],
  },
  {
    op: 'gather',
    name: 'indices outside a table of bytes',
    inputs: [u8([3, 2], [1, 2, 3, 4, 5, 6]), outside],
    build: ([table, at]) => [gather(table, at)],
    oracle: () => [[3, 4, 0, 0, 0, 0, 0, 0]],
  },
];
