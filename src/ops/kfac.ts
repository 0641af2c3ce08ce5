import type { Tap, Value } from '../graph/graph.ts';
import type { Numbers, Operand } from '../graph/kernel.ts';
import { type Shape, showType, sizeOf, type TensorType } from '../graph/types.ts';
import { gemm } from '../linalg/gemm.ts';
import { forLower, packedOrder, packedSize } from '../linalg/packed.ts';
import { unfold, unfolding } from '../linalg/unfold.ts';
import { defineOp, expectSameShape, expectType, shapeError } from './define.ts';
import { reshape } from './reshape.ts';
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

/** One weight a row, which are those of linear layers and embeddings. */
function expectWeights(op: string, x: TensorType, weights: TensorType | undefined): void {
  if (weights === undefined) return;
  expectType(op, 'weights', weights, 'f32', [x.shape[0]]);
  if (x.shape.length > 2) throw shapeError(`${op} has weights for rows only, got ${showType(x)}`);
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
  infer: ([status, factor, updates, x, weights], { bias, kernel }) => {
    expectWeights('kfacInputFactor', x, weights);
    expectType('kfacInputFactor', 'a status block', status, 'i32', [8]);
    expectType('kfacInputFactor', 'an update counter', updates, 'i32', [1]);
    const dim = x.shape[1] * sizeOf(kernel) + bias;
    expectType('kfacInputFactor', 'a factor', factor, 'f32', [packedSize(dim)]);
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, factor, updates, x, weights], attrs }) => {
    const dim = packedOrder(factor.size);
    const [examples, ...image] = x.shape;
    const convolution = attrs.kernel.length > 0;
    const windows = convolution ? unfolding(windowsOf('kfac', image, attrs)) : undefined;
    const positions = windows?.positions ?? 1;
    // ā as columns, the constant 1 of the bias in the last row.
    const patches = new Float64Array(dim * positions);
    const inputs = patches.subarray(0, (dim - attrs.bias) * positions);
    const ones = patches.subarray(inputs.length);
    return () => {
      if (standsStill(status) || examples === 0) return;
      const sum = new Float64Array(dim * dim);
      for (let n = 0; n < examples; n++) {
        if (weights?.data[n] === 0) continue;
        const root = Math.sqrt(weights?.data[n] ?? 1 / examples);
        if (windows !== undefined) unfold(windows, x.data, n * sizeOf(image), inputs);
        else for (let i = 0; i < image[0]; i++) inputs[i] = x.data[n * image[0] + i];
        ones.fill(1);
        for (let i = 0; i < patches.length; i++) patches[i] *= root;
        addGram(
          sum,
          { data: patches, offset: 0, rowStride: positions, colStride: 1 },
          dim,
          positions,
        );
      }
      blend(factor, sum, dim, { decay: factorDecay(updates), scale: 1 });
    };
  },
});

const kfacTokenFactorOp = defineOp({
  name: 'kfacTokenFactor',
  infer: ([status, factor, updates, tokens, weights]) => {
    expectType('kfacTokenFactor', 'a status block', status, 'i32', [8]);
    expectType('kfacTokenFactor', 'an update counter', updates, 'i32', [1]);
    expectType('kfacTokenFactor', 'a diagonal factor', factor, 'f32', [null]);
    expectType('kfacTokenFactor', 'tokens', tokens, 'i32', [null]);
    expectWeights('kfacTokenFactor', tokens, weights);
    return [];
  },
  mutates: true,
  kernel:
    ({ inputs: [status, factor, updates, tokens, weights] }) =>
    () => {
      if (standsStill(status) || tokens.size === 0) return;
      const sum = new Float64Array(factor.size);
      for (let r = 0; r < tokens.size; r++) {
        const token = tokens.data[r];
        if (token < 0 || token >= factor.size) continue; // guard
        sum[token] += weights?.data[r] ?? 1 / tokens.size;
      }
      const decay = factorDecay(updates);
      sum.forEach((fresh, i) => {
        factor.data[i] = decay * factor.data[i] + (1 - decay) * fresh;
      });
    },
});

const kfacGradFactorOp = defineOp<{ weighted: number }>({
  name: 'kfacGradFactor',
  infer: ([status, factor, updates, ...given], { weighted }) => {
    const [dy, ...others] = given.slice(weighted);
    if (weighted) expectWeights('kfacGradFactor', dy, given[0]);
    for (const other of others) expectSameShape('kfacGradFactor', dy.shape, other.shape);
    expectType('kfacGradFactor', 'a status block', status, 'i32', [8]);
    expectType('kfacGradFactor', 'an update counter', updates, 'i32', [1]);
    expectType('kfacGradFactor', 'a factor', factor, 'f32', [packedSize(dy.shape[1])]);
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, factor, updates, ...given], attrs: { weighted } }) => {
    const weights = weighted ? given[0] : undefined;
    const gradients = given.slice(weighted);
    const [examples, out, ...plane] = gradients[0].shape;
    const positions = sizeOf(plane);
    return () => {
      if (standsStill(status) || examples * positions === 0) return;
      const sum = new Float64Array(out * out);
      for (const { data } of gradients) {
        for (let n = 0; n < examples; n++) {
          // s′ = dy / weight: the mean put its weight, 1/examples, into every row.
          const weight = weights?.data[n] ?? 1 / examples;
          if (weight === 0) continue;
          const begin = n * out * positions;
          const rows = Float64Array.from(data.subarray(begin, begin + out * positions));
          for (let i = 0; i < rows.length; i++) rows[i] /= Math.sqrt(weight);
          const x = { data: rows, offset: 0, rowStride: positions, colStride: 1 };
          addGram(sum, x, out, positions);
        }
      }
      blend(factor, sum, out, { decay: factorDecay(updates), scale: 1 / positions });
    };
  },
});

/** Shapes of A, of which only the diagonal is there for tokens, and G. */
export function factorShapes({ kind, weight, bias }: Tap): { a: Shape; g: Shape } {
  const [out, ...others] = weight.shape;
  if (kind === 'embedding') return { a: [out], g: [others[0], others[0]] };
  const inputs = sizeOf(others) + (bias === undefined ? 0 : 1);
  return { a: [inputs, inputs], g: [out, out] };
}

/**
 * Running means of A = E[Σ over positions āāᵀ] and G = (1/T) E[Σ over positions s′s′ᵀ] of one layer (Grosse & Martens
 * 2016; T = 1 but for convolutions), packed. Of an embedding ā is a token's unit vector, so that A is the diagonal of
 * their frequencies. `gradients` are those of mean losses by the pre-activation, whose G add up; `weights` are those of
 * the rows in that mean, all equal without; `updates` counts this update already.
 */
export function kfacFactors(
  status: Value,
  updates: Value,
  factors: { a: Value; g: Value },
  tap: Tap,
  gradients: readonly Value[],
  weights?: Value,
): void {
  const { graph } = status;
  const weighted = weights === undefined ? [] : [weights];
  const out = packedOrder(factors.g.size);
  const rows =
    tap.kind === 'conv2d'
      ? gradients
      : gradients.map((g) => (g.shape.length === 2 ? g : reshape(g, [-1, out])));
  graph.add(kfacGradFactorOp, [status, factors.g, updates, ...weighted, ...rows], {
    weighted: weighted.length,
  });
  if (tap.kind === 'embedding') {
    const tokens = reshape(tap.input, [-1]);
    graph.add(kfacTokenFactorOp, [status, factors.a, updates, tokens, ...weighted], {});
    return;
  }
  const [stride, padding] = [tap.attrs.stride ?? [], tap.attrs.padding ?? []];
  graph.add(kfacInputFactorOp, [status, factors.a, updates, tap.input, ...weighted], {
    bias: tap.bias === undefined ? 0 : 1,
    kernel: tap.kind === 'conv2d' ? tap.weight.shape.slice(2) : [],
    stride: stride as readonly number[],
    padding: padding as readonly number[],
  });
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
