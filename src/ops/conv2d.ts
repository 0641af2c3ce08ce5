import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { type Shape, showType } from '../graph/types.ts';
import { gemm } from '../linalg/gemm.ts';
import { fold, unfold, type Windows } from '../linalg/unfold.ts';
import { defineOp, expectType, f32, type Numbers, shapeError } from './define.ts';
import { type Pair, pair, windowsOf } from './windows.ts';

type Geometry = Readonly<{ stride: readonly number[]; padding: readonly number[]; groups: number }>;

/** What the kernels loop over: the windows of one group's channels, and sizes of one image's parts. */
interface Layout {
  readonly windows: Windows;
  /** Input elements of one group of one image. */
  readonly inputs: number;
  /** Output channels of a group. */
  readonly outs: number;
  /** Elements of a window: the length of a weight row. */
  readonly taps: number;
  readonly positions: number;
}

function layoutOf(x: Shape, weight: Shape, attrs: Geometry): Layout {
  const [, channels, height, width] = x;
  const [out, perGroup, ...kernel] = weight;
  const image = [channels / attrs.groups, height, width];
  const windows = windowsOf('conv2d', image, { ...attrs, kernel });
  return {
    windows,
    inputs: perGroup * height * width,
    outs: out / attrs.groups,
    taps: perGroup * kernel[0] * kernel[1],
    positions: windows.outHeight * windows.outWidth,
  };
}

const matrix = (data: Numbers, offset: number, ld: number) => ({
  data,
  offset,
  rowStride: ld,
  colStride: 1,
});
const transposed = (data: Numbers, offset: number, ld: number) => ({
  data,
  offset,
  rowStride: 1,
  colStride: ld,
});

const conv2dOp = defineOp<Geometry>({
  name: 'conv2d',
  infer: ([x, weight, bias], attrs) => {
    expectType('conv2d', 'images', x, 'f32', [null, null, null, null]);
    expectType('conv2d', 'a weight', weight, 'f32', [null, null, null, null]);
    const [n, channels] = x.shape;
    const [out, perGroup] = weight.shape;
    const { groups } = attrs;
    if (channels % groups !== 0 || out % groups !== 0) {
      throw shapeError(
        `conv2d cannot divide ${channels} input and ${out} output channels into ${groups} groups`,
      );
    }
    if (perGroup * groups !== channels) {
      const each = groups === 1 ? '' : ` in ${groups} groups`;
      throw shapeError(
        `conv2d expects a weight [out, ${channels / groups}, kh, kw] for ${channels} channels${each}, got ${showType(weight)}`,
      );
    }
    if (bias !== undefined) expectType('conv2d', 'a bias', bias, 'f32', [out]);
    const { outHeight, outWidth } = layoutOf(x.shape, weight.shape, attrs).windows;
    return [f32(n, out, outHeight, outWidth)];
  },
  gradient: ({ inputs: [x, weight, bias], attrs }, [dy]) => {
    if (dy === undefined) return [];
    const { graph } = dy;
    const [dx] = graph.add(conv2dGradInputOp, [dy, weight], { ...attrs, shape: x.shape });
    const [dweight, dbias] = graph.add(conv2dGradWeightOp, [x, dy], {
      ...attrs,
      shape: weight.shape,
      bias: bias === undefined ? 0 : 1,
    });
    return [dx, dweight, dbias];
  },
  tap: ({ inputs: [input, weight, bias], outputs: [preActivation], attrs }) => ({
    kind: 'conv2d',
    input,
    preActivation,
    weight,
    bias,
    attrs,
  }),
  kernel: ({ inputs: [x, weight, bias], outputs: [y], attrs }) => {
    const { windows, inputs, outs, taps, positions } = layoutOf(x.shape, weight.shape, attrs);
    const patches = new Float64Array(taps * positions);
    return () => {
      for (let part = 0; part < x.shape[0] * attrs.groups; part++) {
        const group = part % attrs.groups;
        const c = { data: y.data, offset: part * outs * positions, ld: positions };
        for (let o = 0; bias !== undefined && o < outs; o++) {
          const begin = c.offset + o * positions;
          c.data.fill(bias.data[group * outs + o], begin, begin + positions);
        }
        unfold(windows, x.data, part * inputs, patches);
        const w = matrix(weight.data, group * outs * taps, taps);
        gemm(outs, positions, taps, w, matrix(patches, 0, positions), c, bias !== undefined);
      }
    };
  },
});

/** `shape` is x's. */
const conv2dGradInputOp = defineOp<Geometry & { readonly shape: readonly number[] }>({
  name: 'conv2dGradInput',
  infer: (_, { shape }) => [f32(...shape)],
  kernel: ({ inputs: [dy, weight], outputs: [dx], attrs }) => {
    const { windows, inputs, outs, taps, positions } = layoutOf(dx.shape, weight.shape, attrs);
    const patches = new Float64Array(taps * positions);
    return () => {
      dx.data.fill(0);
      for (let part = 0; part < dx.shape[0] * attrs.groups; part++) {
        const w = transposed(weight.data, (part % attrs.groups) * outs * taps, taps);
        const d = matrix(dy.data, part * outs * positions, positions);
        gemm(taps, positions, outs, w, d, { data: patches, offset: 0, ld: positions });
        fold(windows, patches, dx.data, part * inputs);
      }
    };
  },
});

/** `shape` is the weight's; with `bias` the bias's gradient is a second output. */
const conv2dGradWeightOp = defineOp<
  Geometry & { readonly shape: readonly number[]; readonly bias: number }
>({
  name: 'conv2dGradWeight',
  infer: (_, { shape, bias }) => (bias ? [f32(...shape), f32(shape[0])] : [f32(...shape)]),
  kernel: ({ inputs: [x, dy], outputs: [dweight, dbias], attrs }) => {
    const { windows, inputs, outs, taps, positions } = layoutOf(x.shape, dweight.shape, attrs);
    const patches = new Float64Array(taps * positions);
    return () => {
      dweight.data.fill(0);
      dbias?.data.fill(0);
      for (let part = 0; part < x.shape[0] * attrs.groups; part++) {
        const group = part % attrs.groups;
        unfold(windows, x.data, part * inputs, patches);
        const d = matrix(dy.data, part * outs * positions, positions);
        const c = { data: dweight.data, offset: group * outs * taps, ld: taps };
        gemm(outs, taps, positions, d, transposed(patches, 0, positions), c, true);
        for (let o = 0; dbias !== undefined && o < outs; o++) {
          let sum = 0;
          for (let i = 0; i < positions; i++) sum += dy.data[d.offset + o * positions + i];
          dbias.data[group * outs + o] += sum;
        }
      }
    };
  },
});

export interface Conv2dOptions {
  /** Steps of the window; default 1. */
  readonly stride?: Pair;
  /** Zeros around the image; default 0. */
  readonly padding?: Pair;
  /** Channels are split into so many groups, convolved apart; default 1. */
  readonly groups?: number;
}

/**
 * Cross-correlation of images: x [n, c, h, w], weight [out, c / groups, kh, kw], bias [out]
 * → [n, out, ⌊(h + 2·padding − kh) / stride⌋ + 1, and so for the width].
 */
export function conv2d(
  x: Value,
  weight: Value,
  bias?: Value,
  { stride = 1, padding = 0, groups = 1 }: Conv2dOptions = {},
): Value {
  if (!Number.isInteger(groups) || groups < 1) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `conv2d expects groups to be a whole number from 1 on, got ${groups}`,
    );
  }
  const attrs = {
    stride: pair('conv2d', 'stride', stride, 1),
    padding: pair('conv2d', 'padding', padding, 0),
    groups,
  };
  return x.graph.add(conv2dOp, bias === undefined ? [x, weight] : [x, weight, bias], attrs)[0];
}
