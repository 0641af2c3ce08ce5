/** Views of tensors: every element by the indices of its dimensions. */
import type { Value } from '../../../src/graph/graph.ts';
import type { Shape } from '../../../src/graph/types.ts';
import * as ops from '../../../src/ops/index.ts';
import { bf16, CHUNK, f32, i32, random, randomIntegers, u8 } from '../data.ts';
import type { Case, Tensor } from '../harness.ts';

type Index = readonly number[];

const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** All indices of a shape, the last fastest. */
function* indices(shape: Shape): Generator<number[]> {
  for (let flat = 0; flat < sizeOf(shape); flat++) {
    let rest = flat;
    const index = shape.map(() => 0);
    for (let d = shape.length - 1; d >= 0; d--) {
      index[d] = rest % shape[d];
      rest = Math.floor(rest / shape[d]);
    }
    yield index;
  }
}

const flat = (index: Index, shape: Shape): number =>
  index.reduce((at, i, d) => at * shape[d] + i, 0);

/** A tensor of `shape` whose element at an index is x at the index that `from` tells; `other` where that is none. */
const read = (
  x: Float64Array,
  of: Shape,
  shape: Shape,
  from: (index: Index) => Index | undefined,
  other = 0,
): number[] =>
  [...indices(shape)].map((index) => {
    const source = from(index);
    return source === undefined ? other : x[flat(source, of)];
  });

type Make = (shape: Shape, data: ArrayLike<number>) => Tensor;

const data = (shape: Shape, make: Make): ArrayLike<number> =>
  make === f32 ? random(sizeOf(shape)) : randomIntegers(sizeOf(shape), 120);

interface Read {
  readonly op?: string;
  readonly name: string;
  readonly of: Shape;
  readonly shape: Shape;
  readonly build: (x: Value) => Value;
  readonly from: (index: Index) => Index | undefined;
  readonly other?: number;
}

/** In one dtype, or with its gradient in float32. */
function reading(
  { op = 'strided', name, of, shape, build, from, other }: Read,
  make: Make = f32,
): Case {
  return {
    op,
    name: `${name}${make === f32 ? '' : `, ${make.name}`}`,
    inputs: [make(of, data(of, make))],
    build: ([x]) => [build(x)],
    oracle: ([x]) => [read(x, of, shape, from, other)],
    gradient: make === f32 ? [0] : undefined,
    tolerance: { rel: 0 },
  };
}

/** Lists of sizes around those of vectors, tiles of 32 and tasks. */
const permuted = (
  [
    [[], []],
    [[7], [0]],
    [
      [0, 3],
      [1, 0],
    ],
    [
      [1, 5],
      [1, 0],
    ],
    [
      [31, 33],
      [1, 0],
    ],
    [
      [32, 32],
      [1, 0],
    ],
    [
      [65, 3],
      [1, 0],
    ],
    [
      [2, 3, 4],
      [0, 2, 1],
    ],
    [
      [2, 3, 4],
      [2, 0, 1],
    ],
    [
      [2, 3, 4],
      [2, 1, 0],
    ],
    [
      [5, 1, 6],
      [2, 1, 0],
    ],
    [
      [2, 33, 3, 5],
      [0, 2, 1, 3],
    ],
    [
      [3, 7, 2, 35],
      [3, 1, 0, 2],
    ],
    [
      [40, 9, 0],
      [2, 0, 1],
    ],
    [
      [130, 257],
      [1, 0],
    ],
    [
      [2, 1, 3, 1, 2, 2, 3, 2],
      [7, 5, 3, 1, 6, 4, 2, 0],
    ],
  ] as const
).map(
  ([of, dims]: readonly [Shape, Index]): Read => ({
    name: `permute [${of}] by [${dims}]`,
    of,
    shape: dims.map((d) => of[d]),
    build: (x) => ops.permute(x, dims),
    from: (index) => of.map((_, d) => index[dims.indexOf(d)]),
  }),
);

/** [shape, ranges, what they take: from, count, step of each axis, a count of null for an index] */
const SLICES: readonly (readonly [
  Shape,
  readonly ops.SliceRange[],
  readonly (readonly [number, number | null, number])[],
])[] = [
  [[9], [[2, 7]], [[2, 5, 1]]],
  [[9], [[null, null, -1]], [[8, 9, -1]]],
  [[9], [[7, 2, -2]], [[7, 3, -2]]],
  [[9], [[-3, null]], [[6, 3, 1]]],
  [[9], [[-100, 100, 4]], [[0, 3, 4]]],
  [[9], [[5, 5]], [[0, 0, 1]]],
  [[9], [[2, 7, -1]], [[0, 0, -1]]],
  [[9], [-2], [[7, null, 1]]],
  [
    [4, 5, 6],
    [1, [1, 4], [null, null, -2]],
    [
      [1, null, 1],
      [1, 3, 1],
      [5, 3, -2],
    ],
  ],
  [
    [4, 5, 6],
    [null, -1],
    [
      [0, 4, 1],
      [4, null, 1],
      [0, 6, 1],
    ],
  ],
  [
    [4, 5, 6],
    [[1, 3]],
    [
      [1, 2, 1],
      [0, 5, 1],
      [0, 6, 1],
    ],
  ],
  [
    [0, 4],
    [null, [1, 3]],
    [
      [0, 0, 1],
      [1, 2, 1],
    ],
  ],
  [
    [40, 70],
    [
      [null, null, 2],
      [3, 70, 3],
    ],
    [
      [0, 20, 2],
      [3, 23, 3],
    ],
  ],
  [
    [3, CHUNK + 40],
    [
      [null, null, -1],
      [5, CHUNK + 30],
    ],
    [
      [2, 3, -1],
      [5, CHUNK + 25, 1],
    ],
  ],
];
const sliced = SLICES.map(([of, ranges, taken]): Read => {
  const kept = taken.flatMap(([, count], d) => (count === null ? [] : [d]));
  return {
    name: `slice [${of}] by ${JSON.stringify(ranges)}`,
    of,
    shape: kept.map((d) => taken[d][1] as number),
    build: (x) => ops.slice(x, ranges),
    from: (index) =>
      taken.map(([from, count, step], d) =>
        count === null ? from : from + step * index[kept.indexOf(d)],
      ),
  };
});

const flipped = (
  [
    [[5], undefined],
    [[3, 17], [1]],
    [
      [3, 4, 5],
      [0, -1],
    ],
    [[2, CHUNK], [0]],
  ] as const
).map(
  ([of, axes]: readonly [Shape, readonly number[] | undefined]): Read => ({
    name: `flip [${of}] along ${axes ?? 'all'}`,
    of,
    shape: of,
    build: (x) => ops.flip(x, axes),
    from: (index) =>
      index.map((i, d) =>
        axes === undefined || axes.some((a) => (a + of.length) % of.length === d)
          ? of[d] - 1 - i
          : i,
      ),
  }),
);

const stretched = (
  [
    [[], [3, 4]],
    [[1], [CHUNK + 5]],
    [
      [5, 1],
      [5, 17],
    ],
    [[17], [5, 17]],
    [
      [1, 3, 1],
      [2, 3, 33],
    ],
    [
      [4, 1, 3],
      [2, 4, 5, 3],
    ],
    [
      [1, 4],
      [0, 4],
    ],
  ] as const
).map(
  ([of, shape]: readonly [Shape, Shape]): Read => ({
    name: `broadcastTo [${of}] to [${shape}]`,
    of,
    shape,
    build: (x) => ops.broadcastTo(x, shape),
    from: (index) => of.map((size, d) => (size === 1 ? 0 : index[shape.length - of.length + d])),
  }),
);

const tiled = (
  [
    [[3], [4]],
    [[2, 3], [2]],
    [[3], [2, 5]],
    [
      [2, 1, 3],
      [1, 4, 2],
    ],
    [
      [2, 3],
      [0, 2],
    ],
  ] as const
).map(([of, reps]: readonly [Shape, readonly number[]]): Read => {
  const rank = Math.max(of.length, reps.length);
  const sizes = [...Array<number>(rank - of.length).fill(1), ...of];
  const counts = [...Array<number>(rank - reps.length).fill(1), ...reps];
  return {
    name: `tile [${of}] by [${reps}]`,
    of,
    shape: sizes.map((size, d) => size * counts[d]),
    build: (x) => ops.tile(x, reps),
    from: (index) => index.map((i, d) => i % sizes[d]).slice(rank - of.length),
  };
});

const repeated = (
  [
    [[3], 4, 0],
    [[2, 3], 2, 0],
    [[2, 3], 3, -1],
    [[2, 5, 2], 7, 1],
    [[4], 0, 0],
  ] as const
).map(([of, repeats, axis]: readonly [Shape, number, number]): Read => {
  const at = (axis + of.length) % of.length;
  return {
    name: `repeat [${of}] ${repeats} times along ${axis}`,
    of,
    shape: of.map((size, d) => (d === at ? size * repeats : size)),
    build: (x) => ops.repeat(x, repeats, axis),
    from: (index) => index.map((i, d) => (d === at ? Math.floor(i / repeats) : i)),
  };
});

const padded = (
  [
    [[], [], 0],
    [[5], [[0, 0]], 0],
    [[5], [2], 7],
    [[0], [3], 1.5],
    [
      [2, 3],
      [
        [1, 0],
        [0, 2],
      ],
      -1,
    ],
    [[2, 3, 8, 8], [0, 0, 4, 4], 0],
    [[3, CHUNK], [[1, 1], 3], NaN],
    [[4, 0], [1, [2, 1]], 2],
  ] as const
).map(([of, padding, other]: readonly [Shape, readonly ops.Padding[], number]): Read => {
  const sides = padding.map((p) => (typeof p === 'number' ? [p, p] : p));
  return {
    op: 'place',
    name: `pad [${of}] by ${JSON.stringify(padding)} of ${other}`,
    of,
    shape: of.map((size, d) => size + sides[d][0] + sides[d][1]),
    build: (x) => ops.pad(x, padding, other),
    from: (index) => {
      const source = index.map((i, d) => i - sides[d][0]);
      return source.every((i, d) => i >= 0 && i < of[d]) ? source : undefined;
    },
    other,
  };
});

const views = [...permuted, ...sliced, ...flipped, ...stretched, ...tiled, ...repeated];
const whole = padded.filter(({ other = 0 }) => Number.isInteger(other) && other >= 0);

export const cases: Case[] = [
  ...[...views, ...padded].map((r) => reading(r)),
  ...[u8, i32, bf16].flatMap((make) =>
    [permuted[4], permuted[13], sliced[8], flipped[1], stretched[2]].map((r) => reading(r, make)),
  ),
  ...[u8, i32].flatMap((make) => whole.map((r) => reading(r, make))),
  reading(padded[5], bf16),
];
