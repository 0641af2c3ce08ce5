import type { Tap, Value } from '../graph/graph.ts';
import type { Numbers, Operand } from '../graph/kernel.ts';
import { type Shape, showType, sizeOf, type TensorType } from '../graph/types.ts';
import { gemm } from '../linalg/gemm.ts';
import { forLower, packedSize } from '../linalg/packed.ts';
import { unfold, unfolding } from '../linalg/unfold.ts';
import { defineOp, expectSameShape, expectType, shapeError } from './define.ts';
import { reshape } from './reshape.ts';
import { standsStill } from './status.ts';
import { windowsOf } from './windows.ts';

/** Largest weight of the past in a factor's running mean. */
const DECAY = 0.95;

/** What a batch is to a running mean. */
type BatchAttrs = Readonly<{
  /** Rows or images of the whole batch, of which a micro-batch shows a part. */
  samples: number;
  /** 0 where another micro-batch has weighted the past already. */
  begins: number;
}>;

/**
 * Weights of the past and of what is new in the k-th update: d = min(1 − 1/k, 0.95), so that the first replaces what was
 * there, and 1 − d.
 */
function weightsOf(updates: Operand, { begins }: BatchAttrs): { past: number; fresh: number } {
  const decay = Math.min(1 - 1 / updates.data[0], DECAY);
  return { past: begins ? decay : 1, fresh: 1 - decay };
}

/** A step that is not taken, or a batch without anything that counts. */
const isLeftOut = (status: Operand, updates: Operand): boolean =>
  standsStill(status) || updates.data[0] <= 0;

/** factor ← past · factor + fresh · sum, a packed factor and a whole sum. */
function blend(
  { data }: Operand,
  sum: Float64Array,
  dim: number,
  { past, fresh }: { past: number; fresh: number },
): void {
  forLower(dim, (at, r, c) => {
    data[at] = past * data[at] + fresh * sum[r * dim + c];
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

type Range = readonly [begin: number, end: number];

type InputAttrs = BatchAttrs &
  Readonly<{
    /** The inputs, of a convolution its channels, that the factor is of. */
    range: Range;
    /** 1: a 1 comes after them. */
    bias: number;
    /** Of a convolution; empty for a linear layer. */
    kernel: readonly number[];
    stride: readonly number[];
    padding: readonly number[];
  }>;

const kfacInputFactorOp = defineOp<InputAttrs>({
  name: 'kfacInputFactor',
  infer: ([status, factor, updates, x, weights], { range: [begin, end], bias, kernel }) => {
    expectWeights('kfacInputFactor', x, weights);
    expectType('kfacInputFactor', 'a status block', status, 'i32', [8]);
    expectType('kfacInputFactor', 'an update counter', updates, 'i32', [1]);
    const dim = (end - begin) * sizeOf(kernel) + bias;
    expectType('kfacInputFactor', 'a factor', factor, 'f32', [packedSize(dim)]);
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, factor, updates, x, weights], attrs }) => {
    const [begin, end] = attrs.range;
    const dim = (end - begin) * sizeOf(attrs.kernel) + attrs.bias;
    const [examples, channels, ...plane] = x.shape;
    const first = begin * sizeOf(plane);
    const size = channels * sizeOf(plane);
    const convolution = attrs.kernel.length > 0;
    const image = [end - begin, ...plane];
    const windows = convolution ? unfolding(windowsOf('kfac', image, attrs)) : undefined;
    const positions = windows?.positions ?? 1;
    // ā as columns, the constant 1 of the bias in the last row.
    const patches = new Float64Array(dim * positions);
    const inputs = patches.subarray(0, (dim - attrs.bias) * positions);
    const ones = patches.subarray(inputs.length);
    return () => {
      if (isLeftOut(status, updates) || examples === 0) return;
      const sum = new Float64Array(dim * dim);
      for (let n = 0; n < examples; n++) {
        if (weights?.data[n] === 0) continue;
        const root = Math.sqrt(weights?.data[n] ?? 1 / attrs.samples);
        const own = n * size + first;
        if (windows !== undefined) unfold(windows, x.data, own, inputs);
        else for (let i = 0; i < end - begin; i++) inputs[i] = x.data[own + i];
        ones.fill(1);
        for (let i = 0; i < patches.length; i++) patches[i] *= root;
        addGram(
          sum,
          { data: patches, offset: 0, rowStride: positions, colStride: 1 },
          dim,
          positions,
        );
      }
      blend(factor, sum, dim, weightsOf(updates, attrs));
    };
  },
});

const kfacTokenFactorOp = defineOp<BatchAttrs>({
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
    ({ inputs: [status, factor, updates, tokens, weights], attrs }) =>
    () => {
      if (isLeftOut(status, updates) || tokens.size === 0) return;
      const sum = new Float64Array(factor.size);
      for (let r = 0; r < tokens.size; r++) {
        const token = tokens.data[r];
        if (token < 0 || token >= factor.size) continue; // guard
        sum[token] += weights?.data[r] ?? 1 / attrs.samples;
      }
      const { past, fresh } = weightsOf(updates, attrs);
      sum.forEach((x, i) => {
        factor.data[i] = past * factor.data[i] + fresh * x;
      });
    },
});

const kfacGradFactorOp = defineOp<BatchAttrs & { range: Range; weighted: number }>({
  name: 'kfacGradFactor',
  infer: ([status, factor, updates, ...given], { range: [begin, end], weighted }) => {
    const [dy, ...others] = given.slice(weighted);
    if (weighted) expectWeights('kfacGradFactor', dy, given[0]);
    for (const other of others) expectSameShape('kfacGradFactor', dy.shape, other.shape);
    expectType('kfacGradFactor', 'a status block', status, 'i32', [8]);
    expectType('kfacGradFactor', 'an update counter', updates, 'i32', [1]);
    expectType('kfacGradFactor', 'a factor', factor, 'f32', [packedSize(end - begin)]);
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, factor, updates, ...given], attrs }) => {
    const { range, weighted, samples } = attrs;
    const weights = weighted ? given[0] : undefined;
    const gradients = given.slice(weighted);
    const [examples, outputs, ...plane] = gradients[0].shape;
    const positions = sizeOf(plane);
    const [begin, end] = range;
    const out = end - begin;
    return () => {
      if (isLeftOut(status, updates) || examples * positions === 0) return;
      const sum = new Float64Array(out * out);
      for (const { data } of gradients) {
        for (let n = 0; n < examples; n++) {
          // s′ = dy / weight: the mean put its weight, 1/samples, into every row.
          const weight = weights?.data[n] ?? 1 / samples;
          if (weight === 0) continue;
          const first = (n * outputs + begin) * positions;
          const rows = Float64Array.from(data.subarray(first, first + out * positions));
          for (let i = 0; i < rows.length; i++) rows[i] /= Math.sqrt(weight);
          const x = { data: rows, offset: 0, rowStride: positions, colStride: 1 };
          addGram(sum, x, out, positions);
        }
      }
      const { past, fresh } = weightsOf(updates, attrs);
      blend(factor, sum, out, { past, fresh: fresh * (1 / positions) });
    };
  },
});

/** A block on the diagonal of a layer's factor, and where its statistics are. */
export interface Factor {
  /** Packed, or the vector of its diagonal. */
  readonly value: Value;
  readonly block: FactorBlock;
}

export interface FactorBlock {
  /** The inputs, channels or outputs that it is of. */
  readonly range: Range;
  /** Of the matrix, or of a diagonal its vector. */
  readonly shape: Shape;
}

/**
 * The blocks of A, of which only the diagonal is there for tokens, and of G: as many as it takes for an order of at most
 * `size`, of equal sizes. A convolution's A is cut between channels; a bias is one more of the last.
 */
export function factorBlocks(
  { kind, weight, bias }: Tap,
  size: number,
): { a: readonly FactorBlock[]; g: readonly FactorBlock[] } {
  const [out, inputs, ...kernel] = weight.shape;
  if (kind === 'embedding') {
    return { a: [{ range: [0, out], shape: [out] }], g: blocksOf(inputs, { size }) };
  }
  const a = blocksOf(inputs, { size, taps: sizeOf(kernel), bias: bias === undefined ? 0 : 1 });
  return { a, g: blocksOf(out, { size }) };
}

function blocksOf(
  count: number,
  { size, taps = 1, bias = 0 }: { size: number; taps?: number; bias?: number },
): FactorBlock[] {
  const most = Math.max(1, Math.floor(size / taps));
  const blocks = Math.max(1, Math.ceil(count / most));
  const each = Math.ceil(count / blocks);
  return Array.from({ length: blocks }, (_, i) => {
    const range: Range = [Math.min(count, i * each), Math.min(count, (i + 1) * each)];
    const order = (range[1] - range[0]) * taps + (i === blocks - 1 ? bias : 0);
    return { range, shape: [order, order] };
  });
}

/**
 * Running means of A = E[Σ over positions āāᵀ] and G = (1/T) E[Σ over positions s′s′ᵀ] of one layer (Grosse & Martens
 * 2016; T = 1 but for convolutions), packed, of which only the blocks are kept. Of an embedding ā is a token's unit
 * vector, so that A is the diagonal of their frequencies. `gradients` are those of the batch's mean losses by the
 * pre-activation, whose G add up; `weights` are those of the rows in that mean, all equal without; `updates` counts this
 * update already, and is 0 or negative where there is none. Of micro-batches the first `begins`, the others add to it.
 */
export function kfacFactors(
  status: Value,
  updates: Value,
  factors: { a: readonly Factor[]; g: readonly Factor[] },
  { tap, gradients, weights, samples }: Seen,
  begins = true,
): void {
  const { graph } = status;
  const batch = { samples, begins: Number(begins) };
  const weighted = weights === undefined ? [] : [weights];
  const rowsOf = (g: Value) => (g.shape.length === 2 ? g : reshape(g, [-1, g.shape.at(-1) ?? 1]));
  const rows = tap.kind === 'conv2d' ? gradients : gradients.map(rowsOf);
  for (const { value, block } of factors.g) {
    const { range } = block;
    graph.add(kfacGradFactorOp, [status, value, updates, ...weighted, ...rows], {
      ...batch,
      range,
      weighted: weighted.length,
    });
  }
  const [stride, padding] = [tap.attrs.stride ?? [], tap.attrs.padding ?? []];
  const kernel = tap.kind === 'conv2d' ? tap.weight.shape.slice(2) : [];
  for (const { value, block } of factors.a) {
    if (tap.kind === 'embedding') {
      const tokens = reshape(tap.input, [-1]);
      graph.add(kfacTokenFactorOp, [status, value, updates, tokens, ...weighted], batch);
      continue;
    }
    const [begin, end] = block.range;
    graph.add(kfacInputFactorOp, [status, value, updates, tap.input, ...weighted], {
      ...batch,
      range: [begin, end],
      bias: block.shape[0] - (end - begin) * sizeOf(kernel),
      kernel,
      stride: stride as readonly number[],
      padding: padding as readonly number[],
    });
  }
}

/** What a batch, or a micro-batch of it, shows of a layer. */
interface Seen {
  readonly tap: Tap;
  readonly gradients: readonly Value[];
  readonly weights?: Value;
  /** Rows or images of the whole batch. */
  readonly samples: number;
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
