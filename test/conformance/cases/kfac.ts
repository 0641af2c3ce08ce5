/** K-FAC's factors as running means, and the small pieces of its step. */
import type { Value } from '../../../src/graph/graph.ts';
import { findOp } from '../../../src/ops/define.ts';
import { kfacFactors, kfacJoin, kfacSplit, klClip } from '../../../src/ops/kfac.ts';
import { f32, i32, packed, random, randomIntegers, symmetric, unpacked } from '../data.ts';
import { type Case, MOMENT, type Tensor } from '../harness.ts';

const GOING = [0, 0, 0, 0, 0, 0, 0, 0];
const STOPPED = [1, 0, 0, 0, 0, 0, 0, 0];

interface Layer {
  readonly examples: number;
  readonly bias: boolean;
  /** [out, in], or [out, channels, kh, kw]. */
  readonly weight: readonly number[];
  /** Of a convolution. */
  readonly image?: readonly [height: number, width: number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  /** Of the whole batch, where this is one of its micro-batches. Default `examples`. */
  readonly samples?: number;
  /** Whether it is the first of them. Default true. */
  readonly begins?: boolean;
  /** [begin, end) of the inputs or channels, and of the outputs, that blocks are of; a bias is in the last. */
  readonly blocks?: { readonly a: readonly Range[]; readonly g: readonly Range[] };
}

type Range = readonly [number, number];

const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** [positions][dim] of one example. */
function patches(layer: Layer, x: Float64Array, example: number): number[][] {
  const { weight, image, stride = [1, 1], padding = [0, 0], bias } = layer;
  const one = bias ? [1] : [];
  if (image === undefined) {
    return [[...x.subarray(example * weight[1], (example + 1) * weight[1]), ...one]];
  }
  const [, channels, kh, kw] = weight;
  const [height, width] = image;
  const rows: number[][] = [];
  for (let top = -padding[0]; top + kh <= height + padding[0]; top += stride[0]) {
    for (let left = -padding[1]; left + kw <= width + padding[1]; left += stride[1]) {
      const row: number[] = [];
      for (let c = 0; c < channels; c++) {
        for (let y = top; y < top + kh; y++) {
          for (let z = left; z < left + kw; z++) {
            const inside = y >= 0 && y < height && z >= 0 && z < width;
            row.push(inside ? x[((example * channels + c) * height + y) * width + z] : 0);
          }
        }
      }
      rows.push([...row, ...one]);
    }
  }
  return rows;
}

const factor = (dim: number, seed: number): Tensor => {
  const triangle = packed(symmetric(dim, seed));
  return f32([triangle.length], triangle);
};

/** Packed, as factors are. */
function meanGram(rows: readonly number[][], dim: number, scale: number): number[] {
  const sum = Array<number>(dim * dim).fill(0);
  for (const row of rows) {
    for (let i = 0; i < dim; i++) {
      for (let j = 0; j < dim; j++) sum[i * dim + j] += scale * row[i] * row[j];
    }
  }
  return packed(sum);
}

function layerCases(
  name: string,
  layer: Layer,
  updates = 4,
  status: readonly number[] = GOING,
): Case[] {
  const { examples, bias, weight, image, stride = [1, 1], padding = [0, 0] } = layer;
  const { samples = examples, begins = true } = layer;
  const [out, channels, ...kernel] = weight;
  const dim = sizeOf(weight.slice(1)) + (bias ? 1 : 0);
  const { blocks = { a: [[0, channels]], g: [[0, out]] } } = layer;
  const places = {
    a: blocks.a.map(([begin, end], i) => {
      const last = bias && i === blocks.a.length - 1;
      return [begin * sizeOf(kernel), end * sizeOf(kernel) + (last ? 1 : 0)];
    }),
    g: blocks.g,
  };
  const input = image === undefined ? [examples, weight[1]] : [examples, weight[1], ...image];
  const plane =
    image === undefined
      ? []
      : [0, 1].map((k) => Math.floor((image[k] + 2 * padding[k] - weight[2 + k]) / stride[k]) + 1);
  const output = [examples, out, ...plane];
  const positions = sizeOf(plane);
  const fill = (shape: readonly number[], seed: number): Tensor =>
    f32(shape, random(sizeOf(shape), { seed, low: -1, high: 1 }));
  const still = status[0] !== 0 || examples === 0 || updates <= 0;
  const decay = Math.min(1 - 1 / updates, 0.95);
  const past = begins ? decay : 1;
  const blend = (old: Float64Array, fresh: readonly number[]) =>
    still ? old : old.map((v, i) => past * v + (1 - decay) * fresh[i]);

  return ['kfacInputFactor', 'kfacGradFactor'].map((op): Case => {
    const isInput = op === 'kfacInputFactor';
    const own = isInput ? places.a : places.g;
    const states = (side: 'a' | 'g', seed: number) =>
      places[side].map(([begin, end], i) => factor(end - begin, seed + 10 * i));
    /** The blocks of what is packed as a whole. */
    const cut = (whole: readonly number[]) =>
      own.map(([begin, end]) => {
        const square = unpacked(whole);
        const order = Math.sqrt(square.length);
        const rows = Array.from({ length: end - begin }, (_, r) => (begin + r) * order);
        return packed(rows.flatMap((row) => [...square.slice(row + begin, row + end)]));
      });
    return {
      op,
      name: `${name}, update ${updates}, status ${status[0]}`,
      inputs: [
        i32([8], status),
        i32([1], [updates]),
        fill(input, 3),
        fill(output, 4),
        fill(weight, 5),
        fill([out], 6),
        ...states('a', 1),
        ...states('g', 2),
      ],
      build: ([block, count, x, dy, w, b, ...given]) => {
        const factors = (side: 'a' | 'g', values: readonly Value[]) =>
          values.map((value, i) => {
            const order = places[side][i][1] - places[side][i][0];
            return { value, block: { range: blocks[side][i], shape: [order, order] } };
          });
        const a = given.slice(0, blocks.a.length);
        const g = given.slice(blocks.a.length);
        kfacFactors(
          block,
          count,
          { a: factors('a', a), g: factors('g', g) },
          {
            tap: {
              kind: image === undefined ? 'linear' : 'conv2d',
              input: x,
              preActivation: dy,
              weight: w,
              bias: bias ? b : undefined,
              attrs: image === undefined ? {} : { stride, padding, groups: 1 },
            },
            gradients: [dy],
            samples,
          },
          begins,
        );
        return isInput ? a : g;
      },
      oracle: ([, , x, dy, , , ...given]) => {
        if (isInput) {
          const rows = Array.from({ length: examples }, (_, n) => patches(layer, x, n)).flat();
          const fresh = cut(meanGram(rows, dim, 1 / samples));
          return fresh.map((block, i) => blend(given[i], block));
        }
        // Each example's own gradient is `samples` times that of the mean; the mean over positions.
        const rows = Array.from({ length: examples * positions }, (_, k) => {
          const [n, t] = [Math.floor(k / positions), k % positions];
          return Array.from({ length: out }, (_, o) => samples * dy[(n * out + o) * positions + t]);
        });
        const fresh = cut(meanGram(rows, out, 1 / (samples * positions)));
        return fresh.map((block, i) => blend(given[blocks.a.length + i], block));
      },
      tolerance: { rel: 1e-5, abs: 2e-6 * Math.max(1, isInput ? positions : samples) },
    };
  });
}

const LINEAR: Layer = { examples: 9, bias: true, weight: [4, 6] };
const CONV: Layer = {
  examples: 5,
  bias: true,
  weight: [3, 2, 3, 2],
  image: [7, 6],
  stride: [2, 1],
  padding: [1, 2],
};

/** The weight and bias, value then gradient, as one matrix. */
function join(weight: readonly number[], bias: boolean, weightDecay: number): Case {
  const shapes = [weight, weight, ...(bias ? [[weight[0]], [weight[0]]] : [])];
  return {
    op: 'kfacJoin',
    name: `[${weight}], bias ${bias}, decay ${weightDecay}`,
    inputs: shapes.map((shape, i) => f32(shape, random(sizeOf(shape), { seed: 10 + i }))),
    build: ([w, dw, b, db]) => [
      kfacJoin({ value: w, grad: dw }, bias ? { value: b, grad: db } : undefined, weightDecay),
    ],
    oracle: ([w, dw, b, db]) => {
      const width = sizeOf(weight.slice(1));
      const rows = Array.from({ length: weight[0] }, (_, o) => [
        ...Array.from({ length: width }, (_, i) => {
          const at = o * width + i;
          return dw[at] + weightDecay * w[at];
        }),
        ...(bias ? [db[o] + weightDecay * b[o]] : []),
      ]);
      return [rows.flat()];
    },
    tolerance: { rel: 1e-6, abs: 1e-6 },
  };
}

/** ν times a matrix as a weight and a bias. */
const split = (shape: readonly number[], bias: boolean): Case => {
  const [out] = shape;
  const width = sizeOf(shape.slice(1));
  const columns = width + (bias ? 1 : 0);
  return {
    op: 'kfacSplit',
    name: `[${shape}], bias ${bias}`,
    inputs: [f32([out, columns], random(out * columns, { seed: 20 })), f32([], [0.3])],
    build: ([u, nu]) => {
      const { weight, bias: b } = kfacSplit(u, nu, shape);
      return [weight, b];
    },
    oracle: ([u, [nu]]) => [
      Array.from(
        { length: out * width },
        (_, k) => nu * u[Math.floor(k / width) * columns + (k % width)],
      ),
      Array.from({ length: out }, (_, o) => (bias ? nu * u[o * columns + width] : 0)),
    ],
  };
};

const clip = (
  name: string,
  sizes: readonly number[],
  kappa: number,
  lr: number,
  scale = 1,
): Case => ({
  op: 'klClip',
  name,
  inputs: sizes.flatMap((n, i) => {
    const u = random(n, { seed: 30 + i }).map((x) => scale * x);
    // V near U, so that U·V is positive.
    return [
      f32([n], u),
      f32(
        [n],
        random(n, { seed: 40 + i }).map((x, k) => scale * 0.2 * x + u[k]),
      ),
    ];
  }),
  build: (values, graph) => {
    const { index } = graph.slot('lr', () => lr);
    const pairs: { u: Value; v: Value }[] = [];
    for (let i = 0; i < values.length; i += 2) pairs.push({ u: values[i], v: values[i + 1] });
    return [klClip(pairs, kappa, index)];
  },
  oracle: (values) => {
    let dot = 0;
    for (let i = 0; i < values.length; i += 2) {
      dot += values[i].reduce((sum, u, k) => sum + u * values[i + 1][k], 0);
    }
    return [[Math.min(1, Math.sqrt(kappa / (lr ** 2 * dot)))]];
  },
  moments: [MOMENT],
  tolerance: { rel: 1e-6 },
});

/** Gradients of several losses: their G add up, and the past is weighted once. */
const several = (shape: readonly number[], updates: number, status = GOING): Case => {
  const [examples, out] = shape;
  const positions = sizeOf(shape.slice(2));
  return {
    op: 'kfacGradFactor',
    name: `three gradients [${shape}], update ${updates}, status ${status[0]}`,
    inputs: [
      i32([8], status),
      i32([1], [updates]),
      factor(out, 2),
      ...[4, 5, 6].map((seed) => f32(shape, random(sizeOf(shape), { seed, low: -1, high: 1 }))),
    ],
    build: ([block, count, g, ...gradients]) => {
      block.graph.add(findOp('kfacGradFactor'), [block, g, count, ...gradients], {
        range: [0, out],
        weighted: 0,
        samples: examples,
        begins: 1,
      });
      return [g];
    },
    oracle: ([, , g, ...gradients]) => {
      const decay = Math.min(1 - 1 / updates, 0.95);
      const rows = gradients.flatMap((dy) =>
        Array.from({ length: examples * positions }, (_, k) => {
          const at = Math.floor(k / positions) * out * positions + (k % positions);
          return Array.from({ length: out }, (_, o) => examples * dy[at + o * positions]);
        }),
      );
      const fresh = meanGram(rows, out, 1 / (examples * positions));
      return [status[0] !== 0 ? g : g.map((v, i) => decay * v + (1 - decay) * fresh[i])];
    },
    tolerance: { rel: 1e-5, abs: 6e-6 * examples },
  };
};

/** Rows that weigh differently in the mean; those of weight 0 are not looked at. */
function weighted(
  kind: 'linear' | 'embedding',
  [rows, inputs, out]: readonly [number, number, number],
  updates: number,
  status = GOING,
  begins = true,
): Case[] {
  const isTokens = kind === 'embedding';
  const dim = isTokens ? inputs : inputs + 1;
  const raw = random(rows, { seed: 7, low: 0, high: 1 }).map((w, r) => (r % 3 === 1 ? 0 : w + 0.1));
  const sum = raw.reduce((a, w) => a + w, 0);
  const weights = raw.map((w) => w / sum);
  const skip = (width: number) => (x: number, at: number) =>
    weights[Math.floor(at / width)] === 0 ? NaN : x;
  const x = random(rows * inputs, { seed: 3, low: -1, high: 1 }).map(skip(inputs));
  const dy = random(rows * out, { seed: 4, low: -1, high: 1 }).map((v, at) => {
    const weight = weights[Math.floor(at / out)];
    return weight === 0 ? NaN : v * weight;
  });
  // Some tokens are padding.
  const tokens = randomIntegers(rows, inputs, 9).map((token, r) => (r % 5 === 3 ? -1 : token));
  const decay = Math.min(1 - 1 / updates, 0.95);
  const past = begins ? decay : 1;
  const blend = (old: Float64Array, fresh: readonly number[]) =>
    status[0] !== 0 || updates <= 0 ? old : old.map((v, i) => past * v + (1 - decay) * fresh[i]);
  const counted = [...weights.keys()].filter((r) => weights[r] !== 0);
  const a = isTokens ? f32([dim], random(dim, { seed: 1, low: 0 })) : factor(dim, 1);
  const op = isTokens ? 'kfacTokenFactor' : 'kfacInputFactor';
  return [op, 'kfacGradFactor'].map(
    (op): Case => ({
      op,
      name: `${kind}, ${rows} weighted rows of [${inputs}] → ${out}, update ${updates}, status ${status[0]}${begins ? '' : ', not the first'}`,
      inputs: [
        i32([8], status),
        i32([1], [updates]),
        a,
        factor(out, 2),
        isTokens ? i32([rows], tokens) : f32([rows, inputs], x),
        f32([rows, out], dy),
        f32(isTokens ? [inputs, out] : [out, inputs], random(inputs * out)),
        f32([out], random(out)),
        f32([rows], weights),
      ],
      build: ([block, count, a, g, input, preActivation, weight, b, w]) => {
        const bias = isTokens ? undefined : b;
        const tap = { kind, input, preActivation, weight, bias, attrs: {} };
        const whole = (value: Value, count: number, shape: readonly number[]) => [
          { value, block: { range: [0, count] as const, shape } },
        ];
        const factors = {
          a: whole(a, inputs, isTokens ? [dim] : [dim, dim]),
          g: whole(g, out, [out, out]),
        };
        const seen = { tap, gradients: [preActivation], weights: w, samples: rows };
        kfacFactors(block, count, factors, seen, begins);
        return [op === 'kfacGradFactor' ? g : a];
      },
      oracle: ([, , a, g, input, dy, , , w]) => {
        if (op === 'kfacGradFactor') {
          // Of one row alone: dy over its weight.
          const own = counted.map((r) =>
            Array.from({ length: out }, (_, o) => dy[r * out + o] / Math.sqrt(w[r])),
          );
          return [blend(g, meanGram(own, out, 1))];
        }
        if (isTokens) {
          const frequencies = Array<number>(dim).fill(0);
          for (const r of counted) if (input[r] !== -1) frequencies[input[r]] += w[r];
          return [blend(a, frequencies)];
        }
        const own = counted.map((r) =>
          [...input.subarray(r * inputs, (r + 1) * inputs), 1].map((v) => v * Math.sqrt(w[r])),
        );
        return [blend(a, meanGram(own, dim, 1))];
      },
      tolerance: { rel: 1e-5, abs: 2e-6 },
    }),
  );
}

/** Frequencies of tokens that all weigh the same. */
const frequencies = (
  rows: number,
  vocabulary: number,
  updates: number,
  { samples = rows, begins = 1 } = {},
): Case => ({
  op: 'kfacTokenFactor',
  name: `${rows} of ${samples} tokens, ${vocabulary} different ones, update ${updates}, ${begins}`,
  inputs: [
    i32([8], GOING),
    f32([vocabulary], random(vocabulary, { low: 0 })),
    i32([1], [updates]),
    i32([rows], randomIntegers(rows, vocabulary, 9)),
  ],
  build: ([block, a, count, tokens]) => {
    block.graph.add(findOp('kfacTokenFactor'), [block, a, count, tokens], { samples, begins });
    return [a];
  },
  oracle: ([, a, , tokens]) => {
    if (rows === 0 || updates <= 0) return [a];
    const decay = Math.min(1 - 1 / updates, 0.95);
    return [
      a.map((old, v) => {
        const share = tokens.filter((token) => token === v).length / samples;
        return (begins ? decay : 1) * old + (1 - decay) * share;
      }),
    ];
  },
  tolerance: { rel: 1e-5, abs: 1e-7 },
});

export const cases: Case[] = [
  ...weighted('linear', [9, 6, 4], 3),
  ...weighted('linear', [1, 1, 1], 1),
  ...weighted('linear', [300, 33, 17], 1),
  ...weighted('linear', [9, 6, 4], 3, STOPPED),
  ...weighted('embedding', [9, 6, 4], 3),
  ...weighted('embedding', [1, 1, 1], 1),
  ...weighted('embedding', [300, 700, 17], 20),
  ...weighted('embedding', [9, 6, 4], 1, STOPPED),
  ...weighted('linear', [9, 6, 4], 3, GOING, false),
  ...weighted('embedding', [9, 6, 4], 3, GOING, false),
  ...weighted('linear', [9, 6, 4], -3),
  ...weighted('embedding', [9, 6, 4], 0),
  frequencies(17, 5, 3, { samples: 40 }),
  frequencies(17, 5, 3, { samples: 40, begins: 0 }),
  frequencies(17, 5, -3),
  frequencies(0, 5, 2),
  frequencies(17, 5, 1),
  frequencies(40, 17_001, 30),
  ...[1, 3].flatMap((updates) => [several([9, 4], updates), several([5, 3, 2, 4], updates)]),
  several([9, 4], 3, STOPPED),
  ...[1, 2, 19, 20, 21, 1000].flatMap((updates) => layerCases('linear', LINEAR, updates)),
  ...layerCases('linear', LINEAR, 1, STOPPED),
  ...layerCases('linear without bias', { ...LINEAR, bias: false }),
  ...layerCases('one example of one number', { examples: 1, bias: false, weight: [1, 1] }),
  ...layerCases('one example, bias', { examples: 1, bias: true, weight: [1, 1] }),
  ...layerCases('many examples', { examples: 300, bias: true, weight: [33, 65] }),
  // Products over 512 terms and more, which gemm.h of CUDA cuts into pieces.
  ...weighted('linear', [1030, 6, 4], 1),
  ...layerCases('examples for pieces', { examples: 1030, bias: true, weight: [4, 6] }),
  ...layerCases('positions for pieces', {
    examples: 5,
    bias: true,
    weight: [3, 2, 3, 3],
    image: [13, 12],
  }),
  several([3, 4, 20, 10], 3),
  ...layerCases('no example', { ...LINEAR, examples: 0 }, 1),
  ...[
    LINEAR,
    CONV,
    { ...CONV, stride: [1, 1] as const, examples: 18, weight: [3, 2, 3, 3] },
  ].flatMap((layer) => [
    ...layerCases(`first of two, [${layer.weight}]`, { ...layer, samples: 30 }),
    ...layerCases(`second of two, [${layer.weight}]`, { ...layer, samples: 30, begins: false }),
    ...layerCases(`first of two, first update, [${layer.weight}]`, { ...layer, samples: 30 }, 1),
    ...layerCases(`nothing that counts, [${layer.weight}]`, layer, -3),
  ]),
  ...layerCases('linear in blocks', {
    ...LINEAR,
    blocks: {
      a: [
        [0, 2],
        [2, 5],
        [5, 6],
      ],
      g: [
        [0, 1],
        [1, 4],
      ],
    },
  }),
  ...[CONV, { ...CONV, stride: [1, 1] as const, examples: 18, weight: [3, 2, 3, 3] }].flatMap(
    (layer) =>
      layerCases(`conv2d in blocks, [${layer.weight}]`, {
        ...layer,
        blocks: {
          a: [
            [0, 1],
            [1, 2],
          ],
          g: [
            [0, 2],
            [2, 3],
          ],
        },
      }),
  ),
  ...layerCases('conv2d', CONV),
  ...layerCases('conv2d', CONV, 1),
  ...layerCases('conv2d without bias', { ...CONV, bias: false }),
  ...layerCases('conv2d of one position', {
    ...CONV,
    image: [2, 1],
    padding: [1, 1],
    stride: [9, 9],
  }),
  ...layerCases('conv2d of many positions', {
    examples: 12,
    bias: true,
    weight: [6, 1, 5, 5],
    image: [32, 32],
  }),
  // Windows that are not unfolded on the CPU, at the borders of what that takes, and beyond.
  ...(
    [
      { examples: 18, weight: [2, 3, 5, 5], image: [9, 11], padding: [2, 0] },
      { examples: 33, weight: [2, 2, 4, 3], image: [8, 9], padding: [0, 1] },
      { examples: 3, weight: [1, 2, 7, 7], image: [13, 12], bias: false },
      { examples: 16, weight: [2, 2, 3, 5], image: [4, 8] },
      { examples: 16, weight: [2, 2, 5, 3], image: [7, 6] },
      { examples: 9, weight: [2, 5, 3, 3], image: [5, 5], padding: [1, 1], bias: false },
    ] satisfies Partial<Layer>[]
  ).flatMap((layer) =>
    layerCases(`conv2d [${layer.weight}] on ${layer.image}, padding ${layer.padding ?? 0}`, {
      bias: true,
      ...layer,
    } as Layer),
  ),
  ...[
    [4, 6],
    [3, 2, 3, 2],
    [1, 1],
    [5, 0],
  ].flatMap((shape) => [
    join(shape, true, 0.1),
    join(shape, false, 0),
    split(shape, true),
    split(shape, false),
  ]),
  clip('below κ', [5, 17], 1e3, 0.01),
  clip('above κ', [5, 17, 0, 1], 1e-3, 0.5),
  clip('a rate of 0', [5], 1e-3, 0),
  clip('U of 0', [5], 1e-3, 0.5, 0),
  clip('no element', [0], 1e-3, 0.5),
  clip('many elements', [40_001, 3], 1e-3, 0.5),
];
