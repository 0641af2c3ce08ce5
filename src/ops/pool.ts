import { checkNames } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { type Shape, sizeOf, type TensorType } from '../graph/types.ts';
import type { Windows } from '../linalg/unfold.ts';
import { defineOp, expectType, f32, graphOf, i32, shapeError } from './define.ts';
import { reshape } from './reshape.ts';
import { takeAlongAxis } from './take_along_axis.ts';
import { relu } from './unary.ts';
import { type Pair, pair, windowsOf } from './windows.ts';

type Geometry = Readonly<{
  kernel: readonly number[];
  stride: readonly number[];
  padding: readonly number[];
}>;

function layoutOf(name: string, [n, channels, height, width]: Shape, attrs: Geometry) {
  const windows = windowsOf(name, [1, height, width], attrs);
  return {
    windows,
    planes: n * channels,
    plane: height * width,
    positions: windows.outHeight * windows.outWidth,
  };
}

function outputShape(name: string, x: TensorType, attrs: Geometry): Shape {
  expectType(name, 'images', x, 'f32', [null, null, null, null]);
  const [n, channels, height, width] = x.shape;
  if (height === 0 || width === 0) {
    throw shapeError(`${name} expects images of at least one pixel, got ${height}×${width}`);
  }
  const { outHeight, outWidth } = layoutOf(name, x.shape, attrs).windows;
  return [n, channels, outHeight, outWidth];
}

/** Calls `body` for each window with the rows [y, yEnd) and columns [c, cEnd) of the image in it. */
function forWindows(
  { height, width, kernel, stride, padding, outHeight, outWidth }: Windows,
  body: (position: number, y: number, yEnd: number, c: number, cEnd: number) => void,
): void {
  for (let oy = 0; oy < outHeight; oy++) {
    const top = oy * stride[0] - padding[0];
    const y = Math.max(0, top);
    const yEnd = Math.min(height, top + kernel[0]);
    for (let ox = 0; ox < outWidth; ox++) {
      const left = ox * stride[1] - padding[1];
      const cEnd = Math.min(width, left + kernel[1]);
      body(oy * outWidth + ox, y, yEnd, Math.max(0, left), cEnd);
    }
  }
}

const maxPool2dOp = defineOp<Geometry>({
  name: 'maxPool2d',
  infer: ([x], attrs) => {
    const shape = outputShape('maxPool2d', x, attrs);
    return [f32(...shape), i32(...shape)];
  },
  runs: ({ inputs: [x] }) => x.shape[0] * x.shape[1],
  gradient: ({ inputs: [x], outputs: [, index], attrs }, [dy]) => [
    dy?.graph.add(maxPool2dGradOp, [dy, index], { ...attrs, shape: x.shape })[0],
  ],
  tangent: ({ outputs: [y, index] }, [dx]) => {
    if (dx === undefined) return [];
    const planes = (v: Value) => {
      const [n, channels, height, width] = v.shape;
      return reshape(v, [n * channels, height * width, 1]);
    };
    return [reshape(takeAlongAxis(planes(dx), planes(index)), y.shape)];
  },
  kernel: ({ inputs: [x], outputs: [y, index], attrs }) => {
    const { windows, planes, plane, positions } = layoutOf('maxPool2d', x.shape, attrs);
    return () => {
      for (let p = 0; p < planes; p++) {
        const data = x.data;
        const from = p * plane;
        forWindows(windows, (position, top, bottom, left, right) => {
          let best = top * windows.width + left;
          let value = data[from + best];
          for (let r = top; r < bottom; r++) {
            for (let at = r * windows.width + left; at < r * windows.width + right; at++) {
              const candidate = data[from + at];
              if (candidate > value || (Number.isNaN(candidate) && !Number.isNaN(value))) {
                best = at;
                value = candidate;
              }
            }
          }
          y.data[p * positions + position] = value;
          index.data[p * positions + position] = best;
        });
      }
    };
  },
});

/** `shape` is x's; an index outside the plane is ignored. */
const maxPool2dGradOp = defineOp<Geometry & { readonly shape: readonly number[] }>({
  name: 'maxPool2dGrad',
  infer: (_, { shape }) => [f32(...shape)],
  tangent: ({ op, inputs: [, index], attrs }, [tdy]) => [
    tdy?.graph.add(op, [tdy, index], attrs)[0],
  ],
  kernel: ({ inputs: [dy, index], outputs: [dx], attrs }) => {
    const { planes, plane, positions } = layoutOf('maxPool2d', dx.shape, attrs);
    return () => {
      dx.data.fill(0);
      for (let p = 0; p < planes; p++) {
        for (let i = p * positions; i < (p + 1) * positions; i++) {
          const at = index.data[i];
          if (at >= 0 && at < plane) dx.data[p * plane + at] += dy.data[i];
        }
      }
    };
  },
});

const avgPool2dOp = defineOp<Geometry>({
  name: 'avgPool2d',
  infer: ([x], attrs) => [f32(...outputShape('avgPool2d', x, attrs))],
  runs: ({ inputs: [x] }) => x.shape[0] * x.shape[1],
  gradient: ({ inputs: [x], attrs }, [dy]) => [
    dy?.graph.add(avgPool2dGradOp, [dy], { ...attrs, shape: x.shape })[0],
  ],
  tangent: ({ op, attrs }, [dx]) => [dx?.graph.add(op, [dx], attrs)[0]],
  kernel: ({ inputs: [x], outputs: [y], attrs }) => {
    const { windows, planes, plane, positions } = layoutOf('avgPool2d', x.shape, attrs);
    const scale = 1 / sizeOf(attrs.kernel);
    return () => {
      for (let p = 0; p < planes; p++) {
        const data: Numbers = x.data;
        forWindows(windows, (position, top, bottom, left, right) => {
          let sum = 0;
          for (let r = top; r < bottom; r++) {
            const row = p * plane + r * windows.width;
            for (let at = row + left; at < row + right; at++) sum += data[at];
          }
          y.data[p * positions + position] = sum * scale;
        });
      }
    };
  },
});

/** `shape` is x's. */
const avgPool2dGradOp = defineOp<Geometry & { readonly shape: readonly number[] }>({
  name: 'avgPool2dGrad',
  infer: (_, { shape }) => [f32(...shape)],
  tangent: ({ op, attrs }, [tdy]) => [tdy?.graph.add(op, [tdy], attrs)[0]],
  kernel: ({ inputs: [dy], outputs: [dx], attrs }) => {
    const { windows, planes, plane, positions } = layoutOf('avgPool2d', dx.shape, attrs);
    const scale = 1 / sizeOf(attrs.kernel);
    return () => {
      dx.data.fill(0);
      for (let p = 0; p < planes; p++) {
        const data = dx.data;
        forWindows(windows, (position, top, bottom, left, right) => {
          const d = dy.data[p * positions + position] * scale;
          for (let r = top; r < bottom; r++) {
            const row = p * plane + r * windows.width;
            for (let at = row + left; at < row + right; at++) data[at] += d;
          }
        });
      }
    };
  },
});

export interface PoolOptions {
  /** Height and width of a window. */
  readonly kernel: Pair;
  /** Steps of the window; default the kernel. */
  readonly stride?: Pair;
  /** Border around the image, at most half the kernel; default 0. */
  readonly padding?: Pair;
}

function geometry(name: string, options: PoolOptions): Geometry {
  checkNames<PoolOptions>(name, options, { kernel: true, stride: true, padding: true });
  const { kernel, stride = kernel, padding = 0 } = options;
  const size = pair(name, 'kernel', kernel, 1);
  const border = pair(name, 'padding', padding, 0);
  if (border.some((p, i) => 2 * p > size[i])) {
    throw shapeError(
      `${name} expects padding of at most half the kernel, got ${border.join('×')} for ${size.join('×')}`,
    );
  }
  return { kernel: size, stride: pair(name, 'stride', stride, 1), padding: border };
}

/**
 * The largest element of every window of x [n, c, h, w]; padding never wins. A NaN wins, else the first
 * of equals, which also takes the gradient.
 */
export const maxPool2d = (x: Value, options: PoolOptions): Value => {
  graphOf('maxPool2d', x);
  // relu(max) = max(relu), on a window's worth fewer elements.
  if (x.node?.op.name === 'relu') return relu(maxPool2d(x.node.inputs[0], options));
  return x.graph.add(maxPool2dOp, [x], geometry('maxPool2d', options))[0];
};

/**
 * The mean of every window of x [n, c, h, w]. Padding counts as zeros: the sum is always divided by
 * kh·kw (`count_include_pad=True`, the default of PyTorch).
 */
export const avgPool2d = (x: Value, options: PoolOptions): Value =>
  graphOf('avgPool2d', x).add(avgPool2dOp, [x], geometry('avgPool2d', options))[0];
