/** Embeddings, lengths and weights of padded rows, the step before, the last step. */
import { embedding } from '../../../src/ops/embedding.ts';
import { lastStep, lengths, previousSteps, rowWeights } from '../../../src/ops/sequence.ts';
import { f32, i32, random, randomIntegers } from '../data.ts';
import type { Case } from '../harness.ts';

/** Tokens of which every fifth is padding. */
const padded = (count: number, below: number): Int32Array =>
  randomIntegers(count, below, 3).map((token, i) => (i % 5 === 4 ? -1 : token));

/** [vocabulary, dim, batch, steps] */
const TABLES = [
  [1, 1, 1, 1],
  [3, 2, 0, 4],
  [5, 0, 2, 3],
  [7, 5, 2, 9],
  [9, 16, 3, 11],
  [50, 17, 4, 25],
  [3000, 33, 5, 40],
] as const;

const rowsOf = (width: number) => (table: Float64Array, at: Float64Array) => [
  [...at].flatMap((r) =>
    r === -1 ? Array(width).fill(0) : [...table.subarray(r * width, (r + 1) * width)],
  ),
];

const embeddings = TABLES.map(
  ([vocabulary, dim, batch, steps]): Case => ({
    op: 'embedding',
    name: `[${batch}, ${steps}] of [${vocabulary}, ${dim}]`,
    inputs: [
      f32([vocabulary, dim], random(vocabulary * dim)),
      i32([batch, steps], padded(batch * steps, vocabulary)),
    ],
    build: ([table, tokens]) => [embedding(table, tokens)],
    oracle: ([table, tokens]) => rowsOf(dim)(table, tokens),
    gradient: [0],
    tolerance: { rel: 0 },
  }),
);

const tokens = (rows: readonly (readonly number[])[]) =>
  i32([rows.length, rows[0]?.length ?? 0], rows.flat());

const ends = (
  name: string,
  rows: readonly (readonly number[])[],
  want: readonly number[],
): Case => ({
  op: 'lengths',
  name,
  inputs: [tokens(rows)],
  build: ([x]) => [lengths(x)],
  oracle: () => [want],
  tolerance: { rel: 0 },
});

const weights = (name: string, labels: readonly number[] | Int32Array): Case => ({
  op: 'rowWeights',
  name,
  inputs: [i32([labels.length], labels)],
  build: ([x]) => [rowWeights(x)],
  oracle: ([x]) => [x.map((label) => (label === -1 ? 0 : 1))],
  tolerance: { rel: 0 },
});

const shifts = [
  [1, 1, 1],
  [0, 3, 2],
  [2, 0, 3],
  [3, 4, 0],
  [2, 3, 5],
  [3, 1, 17],
  [5, 40, 33],
].flatMap(([batch, steps, width]) =>
  [0, 1].map(
    (reverse): Case => ({
      op: 'previousSteps',
      name: `[${batch}, ${steps}, ${width}]${reverse ? ', in reverse' : ''}`,
      inputs: [f32([batch, steps, width], random(batch * steps * width))],
      build: ([x]) => [previousSteps(x, { reverse })],
      oracle: ([x]) => [
        x.map((_, at) => {
          const from = (Math.floor(at / width) % steps) + (reverse ? 1 : -1);
          return from < 0 || from === steps ? 0 : x[at + (reverse ? width : -width)];
        }),
      ],
      tolerance: { rel: 0 },
    }),
  ),
);

interface Ending {
  readonly shape: readonly [number, number, number];
  readonly lengths?: readonly number[];
  readonly reverse?: boolean;
  /** The step of each row. */
  readonly want: readonly number[];
}

const ENDINGS: readonly Ending[] = [
  { shape: [3, 4, 2], want: [3, 3, 3] },
  { shape: [0, 4, 2], want: [] },
  { shape: [1, 1, 1], lengths: [1], want: [0] },
  // A row without steps gives its first.
  { shape: [4, 5, 17], lengths: [2, 0, 5, 1], want: [1, 0, 4, 0] },
  { shape: [3, 4, 3], lengths: [9, -4, 4], want: [3, 0, 3] },
  { shape: [2, 3, 5], lengths: [2, 3], reverse: true, want: [0, 0] },
  { shape: [300, 3, 1], want: Array<number>(300).fill(2) },
];

const lasts = ENDINGS.map(
  ({ shape: [batch, steps, width], lengths: given, reverse = false, want }): Case => ({
    op: 'lastRows',
    name: `[${batch}, ${steps}, ${width}]${given ? `, lengths ${given}` : ''}${reverse ? ', in reverse' : ''}`,
    inputs: [
      f32([batch, steps, width], random(batch * steps * width)),
      ...(given === undefined ? [] : [i32([batch], given)]),
    ],
    build: ([x, lengths]) => [lastStep(x, { lengths, reverse })],
    oracle: ([x]) => [
      want.flatMap((t, b) => [...x.subarray((b * steps + t) * width, (b * steps + t + 1) * width)]),
    ],
    gradient: [0],
    tolerance: { rel: 0 },
  }),
);

export const cases: Case[] = [
  ...embeddings,
  {
    op: 'embedding',
    name: 'tokens outside the vocabulary',
    inputs: [f32([3, 2], [1, 2, 3, 4, 5, 6]), i32([2, 3], [2, -2, -1, 3, 0, 2_000_000_000])],
    build: ([table, at]) => [embedding(table, at)],
    oracle: ([t]) => [[t[4], t[5], NaN, NaN, 0, 0, NaN, NaN, t[0], t[1], NaN, NaN]],
    gradient: [0],
  },
  ends(
    'padding at the end, in the middle, everywhere and nowhere',
    [
      [4, 0, -1, -1],
      [4, -1, 7, -1],
      [-1, -1, -1, -1],
      [0, 0, 0, 0],
      [-1, -1, -1, 0],
    ],
    [2, 3, 0, 4, 4],
  ),
  ends('no row', [], []),
  ends('no step', [[], []], [0, 0]),
  ends(
    'many rows',
    Array.from({ length: 300 }, (_, r) => [0, r, r % 3 === 0 ? -1 : 0]),
    Array.from({ length: 300 }, (_, r) => (r % 3 === 0 ? 2 : 3)),
  ),
  weights('one row', [3]),
  weights('no row', []),
  weights('padding alone', [-1, -1, -1]),
  weights('labels outside all classes count', [-1, 0, 5, -2, -1]),
  weights('many rows', padded(1003, 9)),
  ...shifts,
  ...lasts,
];
