import { checkNames } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Numbers, Operand } from '../graph/kernel.ts';
import { fractionBitsOf } from '../graph/precision.ts';
import { type Shape, showType } from '../graph/types.ts';
import { gemm } from '../linalg/gemm.ts';
import { fold, type Unfolding, unfold, unfolding, type Windows } from '../linalg/unfold.ts';
import { plus } from './binary.ts';
import { defineOp, expectType, f32, graphOf, shapeError } from './define.ts';
import { reshape } from './reshape.ts';
import { broadcastTo } from './views.ts';
import { type Pair, pair, windowsOf } from './windows.ts';

type Geometry = Readonly<{ stride: readonly number[]; padding: readonly number[]; groups: number }>;

function windowsFor(x: Shape, weight: Shape, attrs: Geometry): Windows {
  const [, channels, height, width] = x;
  const image = [channels / attrs.groups, height, width];
  return windowsOf('conv2d', image, { ...attrs, kernel: weight.slice(2) });
}

/** What the kernels loop over. An item is a group of channels of an image. */
interface Layout extends Unfolding {
  readonly groups: number;
  readonly items: number;
  /** Elements of x in an item; output channels of a group. */
  readonly inputs: number;
  readonly outs: number;
  /** Every image is one window: a row of one matrix product, with nothing to unfold. */
  readonly whole: boolean;
}

function layoutOf(x: Shape, weight: Shape, attrs: Geometry): Layout {
  const windows = windowsFor(x, weight, attrs);
  const { channels, height, width, kernel, padding } = windows;
  const { groups } = attrs;
  return {
    ...unfolding(windows),
    groups,
    items: x[0] * groups,
    inputs: channels * height * width,
    outs: weight[0] / groups,
    whole:
      groups === 1 &&
      kernel[0] === height &&
      kernel[1] === width &&
      padding[0] === 0 &&
      padding[1] === 0,
  };
}

/** Room for the patches of one item, in the precision of `like`. */
const newPatches = ({ taps, positions }: Layout, like: Operand): Numbers =>
  new (like.data.constructor as Float32ArrayConstructor)(taps * positions);

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
  product: true,
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
    const { outHeight, outWidth } = windowsFor(x.shape, weight.shape, attrs);
    return [f32(n, out, outHeight, outWidth)];
  },
  runs: ({ inputs: [x] }, input) => (input === 0 ? x.shape[0] : 1),
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
  tangent: ({ op, inputs: [x, weight], outputs: [y], attrs }, [tx, tweight, tbias]) => {
    const apply = (a: Value, b: Value) => a.graph.add(op, [a, b], attrs)[0];
    const planes = tbias && reshape(tbias, [tbias.size, 1, 1]);
    const dy = plus(plus(tx && apply(tx, weight), tweight && apply(x, tweight)), planes);
    return [dy && broadcastTo(dy, y.shape)];
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
    const layout = layoutOf(x.shape, weight.shape, attrs);
    const { groups, items, inputs, outs, taps, positions } = layout;
    const patches = newPatches(layout, y);
    const accumulate = bias !== undefined;
    const fractionBits = fractionBitsOf(attrs);
    return () => {
      for (let row = 0; bias !== undefined && row < items * outs; row++) {
        const value = bias.data[row % (groups * outs)];
        y.data.fill(value, row * positions, (row + 1) * positions);
      }
      if (layout.whole) {
        const c = { data: y.data, offset: 0, ld: outs };
        const w = transposed(weight.data, 0, taps);
        gemm(items, outs, taps, matrix(x.data, 0, taps), w, c, { accumulate, fractionBits });
        return;
      }
      for (let item = 0; item < items; item++) {
        unfold(layout, x.data, item * inputs, patches);
        const w = matrix(weight.data, (item % groups) * outs * taps, taps);
        const c = { data: y.data, offset: item * outs * positions, ld: positions };
        gemm(outs, positions, taps, w, matrix(patches, 0, positions), c, {
          accumulate,
          fractionBits,
        });
      }
    };
  },
});

/** `shape` is x's. */
const conv2dGradInputOp = defineOp<Geometry & { readonly shape: readonly number[] }>({
  name: 'conv2dGradInput',
  product: true,
  infer: (_, { shape }) => [f32(...shape)],
  tangent: ({ op, inputs: [dy, weight], attrs }, [tdy, tweight]) => {
    const apply = (a: Value, b: Value) => a.graph.add(op, [a, b], attrs)[0];
    return [plus(tdy && apply(tdy, weight), tweight && apply(dy, tweight))];
  },
  kernel: ({ inputs: [dy, weight], outputs: [dx], attrs }) => {
    const layout = layoutOf(dx.shape, weight.shape, attrs);
    const { groups, items, inputs, outs, taps, positions } = layout;
    const patches = newPatches(layout, dx);
    const fractionBits = fractionBitsOf(attrs);
    return () => {
      if (layout.whole) {
        const c = { data: dx.data, offset: 0, ld: taps };
        gemm(items, taps, outs, matrix(dy.data, 0, outs), matrix(weight.data, 0, taps), c, {
          fractionBits,
        });
        return;
      }
      dx.data.fill(0);
      for (let item = 0; item < items; item++) {
        const w = transposed(weight.data, (item % groups) * outs * taps, taps);
        const d = matrix(dy.data, item * outs * positions, positions);
        gemm(
          taps,
          positions,
          outs,
          w,
          d,
          { data: patches, offset: 0, ld: positions },
          { fractionBits },
        );
        fold(layout, patches, dx.data, item * inputs);
      }
    };
  },
});

/** `shape` is the weight's; with `bias` the bias's gradient is a second output. */
const conv2dGradWeightOp = defineOp<
  Geometry & { readonly shape: readonly number[]; readonly bias: number }
>({
  name: 'conv2dGradWeight',
  product: true,
  infer: (_, { shape, bias }) => (bias ? [f32(...shape), f32(shape[0])] : [f32(...shape)]),
  tangent: ({ op, inputs: [x, dy], attrs }, [tx, tdy]) => {
    const [moved, dbias] = tdy ? tdy.graph.add(op, [x, tdy], attrs) : [];
    return [plus(tx?.graph.add(op, [tx, dy], { ...attrs, bias: 0 })[0], moved), dbias];
  },
  kernel: ({ inputs: [x, dy], outputs: [dweight, dbias], attrs }) => {
    const layout = layoutOf(x.shape, dweight.shape, attrs);
    const { groups, items, inputs, outs, taps, positions } = layout;
    const patches = newPatches(layout, dweight);
    const fractionBits = fractionBitsOf(attrs);
    return () => {
      dbias?.data.fill(0);
      for (let row = 0; dbias !== undefined && row < items * outs; row++) {
        let sum = 0;
        for (let i = row * positions; i < (row + 1) * positions; i++) sum += dy.data[i];
        dbias.data[row % (groups * outs)] += sum;
      }
      if (layout.whole) {
        const d = transposed(dy.data, 0, outs);
        const c = { data: dweight.data, offset: 0, ld: taps };
        gemm(outs, taps, items, d, matrix(x.data, 0, taps), c, { fractionBits });
        return;
      }
      dweight.data.fill(0);
      for (let item = 0; item < items; item++) {
        unfold(layout, x.data, item * inputs, patches);
        const d = matrix(dy.data, item * outs * positions, positions);
        const c = { data: dweight.data, offset: (item % groups) * outs * taps, ld: taps };
        gemm(outs, taps, positions, d, transposed(patches, 0, positions), c, {
          accumulate: true,
          fractionBits,
        });
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
export function conv2d(x: Value, weight: Value, bias?: Value, options: Conv2dOptions = {}): Value {
  graphOf('conv2d', x, weight, bias === undefined ? weight : bias);
  checkNames<Conv2dOptions>('conv2d', options, { stride: true, padding: true, groups: true });
  const { stride = 1, padding = 0, groups = 1 } = options;
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
