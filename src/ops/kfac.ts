import type { Value } from '../graph/graph.ts';
import { type Shape, sizeOf } from '../graph/types.ts';
import { gemm } from '../linalg/gemm.ts';
import { forLower, packedOrder, packedSize } from '../linalg/packed.ts';
import { unfold, unfolding } from '../linalg/unfold.ts';
import {
  defineOp,
  expectSameShape,
  expectType,
  type Numbers,
  type Operand,
  type Tap,
} from './define.ts';
import { standsStill } from './status.ts';
import { windowsOf } from './windows.ts';

/** Largest weight of the past in a factor's running mean. */
const DECAY = 0.95;

/** Decay of the k-th update: min(1 − 1/k, 0.95), so that the first replaces what was there. */
const factorDecay = (updates: Operand): number => Math.min(1 - 1 / updates.data[0], DECAY);

/** factor ← decay · factor + (1 − decay) · scale · sum, a packed factor and a whole sum. */
function blend(
  { data }: Operand,
  sum: Float64Array,
  dim: number,
  { decay, scale }: { decay: number; scale: number },
): void {
  forLower(dim, (at, r, c) => {
    data[at] = decay * data[at] + (1 - decay) * scale * sum[r * dim + c];
  });
}

/** sum += scale · X Xᵀ for `rows` × `columns` X. */
function addGram(
  sum: Float64Array,
  x: { data: Numbers; offset: number; rowStride: number; colStride: number },
  rows: number,
  columns: number,
): void {
  const transposed = { ...x, rowStride: x.colStride, colStride: x.rowStride };
  gemm(
    rows,
    rows,
    columns,
    x,
    transposed,
    { data: sum, offset: 0, ld: rows },
    { accumulate: true },
  );
}

type InputAttrs = Readonly<{
  bias: number;
  /** Of a convolution; empty for a linear layer. */
  kernel: readonly number[];
  stride: readonly number[];
  padding: readonly number[];
}>;

const kfacInputFactorOp = defineOp<InputAttrs>({
  name: 'kfacInputFactor',
  infer: ([status, factor, updates, x], { bias, kernel }) => {
    expectType('kfacInputFactor', 'a status block', status, 'i32', [8]);
    expectType('kfacInputFactor', 'an update counter', updates, 'i32', [1]);
    const dim = x.shape[1] * sizeOf(kernel) + bias;
    expectType('kfacInputFactor', 'a factor', factor, 'f32', [packedSize(dim)]);
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, factor, updates, x], attrs }) => {
    const dim = packedOrder(factor.size);
    const [examples, ...image] = x.shape;
    const convolution = attrs.kernel.length > 0;
    const windows = convolution ? unfolding(windowsOf('kfac', image, attrs)) : undefined;
    const positions = windows?.positions ?? 1;
    // ā as columns, the constant 1 of the bias in the last row.
    const patches = new Float64Array(dim * positions).fill(1);
    const inputs = patches.subarray(0, (dim - attrs.bias) * positions);
    return () => {
      if (standsStill(status) || examples === 0) return;
      const sum = new Float64Array(dim * dim);
      for (let n = 0; n < examples; n++) {
        if (windows !== undefined) unfold(windows, x.data, n * sizeOf(image), inputs);
        else for (let i = 0; i < image[0]; i++) inputs[i] = x.data[n * image[0] + i];
        addGram(
          sum,
          { data: patches, offset: 0, rowStride: positions, colStride: 1 },
          dim,
          positions,
        );
      }
      blend(factor, sum, dim, { decay: factorDecay(updates), scale: 1 / examples });
    };
  },
});

const kfacGradFactorOp = defineOp({
  name: 'kfacGradFactor',
  infer: ([status, factor, updates, dy, ...others]) => {
    for (const other of others) expectSameShape('kfacGradFactor', dy.shape, other.shape);
    expectType('kfacGradFactor', 'a status block', status, 'i32', [8]);
    expectType('kfacGradFactor', 'an update counter', updates, 'i32', [1]);
    expectType('kfacGradFactor', 'a factor', factor, 'f32', [packedSize(dy.shape[1])]);
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, factor, updates, ...gradients] }) => {
    const [examples, out, ...plane] = gradients[0].shape;
    const positions = sizeOf(plane);
    return () => {
      if (standsStill(status) || examples * positions === 0) return;
      const sum = new Float64Array(out * out);
      for (const { data } of gradients) {
        for (let n = 0; n < examples; n++) {
          const offset = n * out * positions;
          addGram(sum, { data, offset, rowStride: positions, colStride: 1 }, out, positions);
        }
      }
      // s′ = examples · dy: the batch mean put 1/examples into every row.
      blend(factor, sum, out, { decay: factorDecay(updates), scale: examples / positions });
    };
  },
});

/** Rows of ā: inputs of a window or of a linear layer, and 1 for the bias. */
export const inputFactorDim = ({ weight, bias }: Tap): number =>
  sizeOf(weight.shape.slice(1)) + (bias === undefined ? 0 : 1);

/**
 * Running means of A = E[Σ over positions āāᵀ] and G = (1/T) E[Σ over positions s′s′ᵀ] of one layer (Grosse & Martens
 * 2016; T = 1 for a linear layer), packed. `gradients` are those of batch-mean losses by the pre-activation, whose G add up;
 * `updates` counts this update already.
 */
export function kfacFactors(
  status: Value,
  updates: Value,
  factors: { a: Value; g: Value },
  tap: Tap,
  gradients: readonly Value[],
): void {
  const { graph } = status;
  const [stride, padding] = [tap.attrs.stride ?? [], tap.attrs.padding ?? []];
  graph.add(kfacInputFactorOp, [status, factors.a, updates, tap.input], {
    bias: tap.bias === undefined ? 0 : 1,
    kernel: tap.kind === 'conv2d' ? tap.weight.shape.slice(2) : [],
    stride: stride as readonly number[],
    padding: padding as readonly number[],
  });
  graph.add(kfacGradFactorOp, [status, factors.g, updates, ...gradients], {});
}

const kfacJoinOp = defineOp<{ weightDecay: number }>({
  name: 'kfacJoin',
  infer: ([weight, , bias]) => {
    const [out, ...rest] = weight.shape;
    return [{ dtype: 'f32', shape: [out, sizeOf(rest) + (bias === undefined ? 0 : 1)] }];
  },
  kernel: ({ inputs: [weight, dweight, bias, dbias], outputs: [v], attrs: { weightDecay } }) => {
    const [out, width] = v.shape;
    const inputs = bias === undefined ? width : width - 1;
    return () => {
      for (let o = 0; o < out; o++) {
        for (let i = 0; i < inputs; i++) {
          const at = o * inputs + i;
          v.data[o * width + i] = dweight.data[at] + weightDecay * weight.data[at];
        }
        if (bias !== undefined) {
          v.data[o * width + inputs] = dbias.data[o] + weightDecay * bias.data[o];
        }
      }
    };
  },
});

/** V = [g_weight | g_bias] + λ [weight | bias] as a matrix [out, in (+ 1)]. */
export const kfacJoin = (
  weight: { value: Value; grad: Value },
  bias: { value: Value; grad: Value } | undefined,
  weightDecay: number,
): Value =>
  weight.value.graph.add(
    kfacJoinOp,
    [weight.value, weight.grad, ...(bias === undefined ? [] : [bias.value, bias.grad])],
    { weightDecay },
  )[0];

const kfacSplitOp = defineOp<{ shape: readonly number[] }>({
  name: 'kfacSplit',
  infer: (_, { shape }) => [
    { dtype: 'f32', shape },
    { dtype: 'f32', shape: [shape[0]] },
  ],
  kernel: ({ inputs: [u, nu], outputs: [weight, bias] }) => {
    const [out, width] = u.shape;
    const inputs = out === 0 ? 0 : weight.size / out;
    return () => {
      for (let o = 0; o < out; o++) {
        for (let i = 0; i < inputs; i++) {
          weight.data[o * inputs + i] = nu.data[0] * u.data[o * width + i];
        }
        bias.data[o] = inputs < width ? nu.data[0] * u.data[o * width + inputs] : 0;
      }
    };
  },
});

/** ν U as the weight's shape and the bias [out]. */
export function kfacSplit(u: Value, nu: Value, shape: Shape): { weight: Value; bias: Value } {
  const [weight, bias] = u.graph.add(kfacSplitOp, [u, nu], { shape });
  return { weight, bias };
}

const klClipOp = defineOp<{ kappa: number; lrSlot: number }>({
  name: 'klClip',
  infer: () => [{ dtype: 'f32', shape: [] }],
  kernel:
    ({ inputs, outputs: [nu], attrs: { kappa, lrSlot } }) =>
    (row) => {
      let dot = 0;
      for (let k = 0; k < inputs.length; k += 2) {
        const [u, v] = [inputs[k], inputs[k + 1]];
        for (let i = 0; i < u.size; i++) dot += u.data[i] * v.data[i];
      }
      const size = row[lrSlot] ** 2 * dot;
      nu.data[0] = size > kappa ? Math.sqrt(kappa / size) : 1;
    },
});

/** ν = min(1, √(κ / (η² Σ U·V))) over pairs (U, V) → []. */
export const klClip = (
  pairs: readonly { u: Value; v: Value }[],
  kappa: number,
  lrSlot: number,
): Value =>
  pairs[0].u.graph.add(
    klClipOp,
    pairs.flatMap(({ u, v }) => [u, v]),
    { kappa, lrSlot },
  )[0];
