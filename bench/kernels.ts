/** What single kernels are traced from, and what they get done. */
import { gradients, pullback } from '#flatmin/autodiff/gradients';
import type { Value } from '#flatmin/graph/graph';
import { BYTES } from '#flatmin/graph/types';
import { adamwOp } from '#flatmin/ops/adamw';
import { assign } from '#flatmin/ops/assign';
import { attention } from '#flatmin/ops/attention';
import { batchNorm } from '#flatmin/ops/batch_norm';
import { concat } from '#flatmin/ops/concat';
import { conv2d } from '#flatmin/ops/conv2d';
import { matmul } from '#flatmin/ops/linear';
import { lionOp } from '#flatmin/ops/lion';
import { lstm } from '#flatmin/ops/lstm';
import { maxPool2d } from '#flatmin/ops/pool';
import { rnn } from '#flatmin/ops/rnn';
import { globalNorm, samPerturb } from '#flatmin/ops/sam';
import { sgdOp } from '#flatmin/ops/sgd';
import { crossEntropy } from '#flatmin/ops/softmax';
import { type Inputs, noise, type Traced } from './program.ts';
import type { Comparison } from './suite.ts';

export interface Kernel extends Traced {
  readonly amount?: Comparison['amount'];
}

const flop = (count: number): Comparison['amount'] => ({ giga: count / 1e9, unit: 'FLOP' });
const bytes = (count: number): Comparison['amount'] => ({ giga: count / 1e9, unit: 'B' });

/** Of a matrix product, and which of its factors stand transposed in memory. */
export interface Sides {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transA?: boolean;
  readonly transB?: boolean;
}

/** A [m, k] times B [k, n], each as it is or transposed in memory. */
export const product = ({ m, n, k, transA, transB }: Sides): Kernel => ({
  build: (t) => [
    matmul(t.f32(transA ? [k, m] : [m, k]), t.f32(transB ? [n, k] : [k, n]), { transA, transB }),
  ],
  amount: flop(2 * m * n * k),
});

/** With rounded operands. */
export const inBf16 = (kernel: Kernel): Kernel => ({ ...kernel, precision: 'bf16' });

type ConvolutionPart = 'forward' | 'gradInput' | 'gradWeight';

export function convolution(
  part: ConvolutionPart,
  image: readonly number[],
  out: number,
  kernel: number,
): Kernel {
  const [count, channels, height, width] = image;
  const shape = [count, out, height - kernel + 1, width - kernel + 1];
  const multiplications = shape.reduce((n, d) => n * d, 1) * channels * kernel * kernel;
  return {
    build: (t) => {
      const x = t.f32(image);
      const y = conv2d(x, t.f32([out, channels, kernel, kernel]), t.f32([out]));
      if (part === 'forward') return [y];
      const [dx, ...dw] = parts(y.node?.op.gradient?.(y.node, [t.f32(shape)]));
      return { gradInput: [dx], gradWeight: dw }[part];
    },
    amount: flop(2 * multiplications),
  };
}

/** A 3×3 convolution of as many channels as it has, and batch norm after it: forward and every gradient. */
export function normalisedConvolution(image: readonly number[]): Kernel {
  const [count, channels, height, width] = image;
  return {
    build: (t) => {
      const x = t.f32(image);
      const convolved = conv2d(x, t.f32([channels, channels, 3, 3]), undefined, { padding: 1 });
      const affine = { weight: t.f32([channels]), bias: t.f32([channels]) };
      const { y } = batchNorm(convolved, affine, 1e-5);
      const [dConvolved, ...dAffine] = parts(y.node?.op.gradient?.(y.node, [t.f32(image)]));
      const dConvolution = convolved.node?.op.gradient?.(convolved.node, [dConvolved]);
      return [y, ...dAffine, ...parts(dConvolution)];
    },
    amount: flop(3 * 2 * count * height * width * channels * channels * 9),
  };
}

const parts = (gradient: readonly (Value | undefined)[] | undefined): Value[] =>
  (gradient ?? []).filter((value) => value !== undefined);

/** A function of tensors of these shapes, and its gradients by all of them. */
export const withGradients = (
  shapes: readonly (readonly number[])[],
  of: (...x: Value[]) => Value,
  amount?: Kernel['amount'],
): Kernel => ({
  build: (t) => {
    const x = shapes.map((shape) => t.f32(shape));
    const y = of(...x);
    return [y, ...parts(pullback(y, t.f32(y.shape), x))];
  },
  amount,
});

export const pool = (shape: readonly number[]): Kernel =>
  withGradients([shape], (x) => maxPool2d(x, { kernel: 2 }));

/** Products of `count` pairs of square matrices. */
export const products = (count: number, n: number): Kernel =>
  withGradients(
    [
      [count, n, n],
      [count, n, n],
    ],
    (a, b) => matmul(a, b),
    flop(3 * 2 * count * n ** 3),
  );

/** Loss and gradient. */
export const softmaxCrossEntropy = (rows: number, classes: number): Kernel => ({
  build: (t) => {
    const logits = t.f32([rows, classes]);
    const labels = Int32Array.from({ length: rows }, (_, i) => i % classes);
    const loss = crossEntropy(logits, t.i32([rows], labels));
    return [loss, ...parts(gradients(loss, [logits]))];
  },
});

/** A recurrence of 128 units over sequences [batch, steps, 100], and its gradients. */
export interface Sequences {
  readonly batch: number;
  readonly steps: number;
  readonly op: 'rnn' | 'lstm';
  readonly projection?: number;
  readonly bidirectional?: boolean;
}

const [FEATURES, UNITS] = [100, 128];

export const recurrence = ({ batch, steps, op, projection, bidirectional }: Sequences): Kernel => {
  const gates = op === 'lstm' ? 4 : 1;
  const width = projection ?? UNITS;
  const directions = bidirectional ? [false, true] : [false];
  const multiplications =
    batch * steps * (gates * UNITS * (FEATURES + width) + (projection ?? 0) * UNITS);
  return {
    build: (t) => {
      const weight = (rows: number, columns: number) =>
        t.f32(
          [rows, columns],
          noise(rows * columns).map((v) => v / Math.sqrt(columns)),
        );
      const x = t.f32([batch, steps, FEATURES]);
      const wrt = [x];
      const outputs = directions.map((reverse) => {
        const weights = {
          input: weight(gates * UNITS, FEATURES),
          recurrent: weight(gates * UNITS, width),
          bias: t.f32([gates * UNITS]),
          ...(projection !== undefined && { projection: weight(projection, UNITS) }),
        };
        wrt.push(...Object.values(weights));
        return op === 'lstm' ? lstm(x, weights, { reverse }) : rnn(x, weights, { reverse });
      });
      const y = bidirectional ? concat(outputs, -1) : outputs[0];
      return [y, ...parts(pullback(y, t.f32(y.shape), wrt))];
    },
    amount: flop(3 * 2 * directions.length * multiplications),
  };
};

const slots = (t: Inputs) => ({
  lrSlot: t.graph.slot('lr', () => 1e-6).index,
  stepSlot: t.graph.step.index,
});

const total = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + size, 0);

const lionWith = (momentum: 'f32' | 'bf16', sizes: readonly number[]): Kernel => ({
  build: (t) => {
    const { lrSlot } = slots(t);
    const tensors = sizes.flatMap((size) => [t.f32([size]), t.f32([size]), t[momentum]([size])]);
    const attrs = { lrSlot, beta1: 0.9, beta2: 0.99, weightDecay: 0.01 };
    t.graph.add(lionOp, [t.status, ...tensors], attrs);
    return [];
  },
  amount: bytes((12 + 2 * BYTES[momentum]) * total(sizes)),
});

export const lion = (sizes: readonly number[]): Kernel => lionWith('f32', sizes);
/** Its momentum in bfloat16. */
export const lionBf16 = (sizes: readonly number[]): Kernel => lionWith('bf16', sizes);

export const sgdMomentum = (sizes: readonly number[]): Kernel => ({
  build: (t) => {
    const { lrSlot } = slots(t);
    const tensors = sizes.flatMap((size) => [t.f32([size]), t.f32([size]), t.f32([size])]);
    const attrs = { lrSlot, momentum: 0.9, nesterov: 0, weightDecay: 0.01, decoupled: 0 };
    t.graph.add(sgdOp, [t.status, ...tensors], attrs);
    return [];
  },
  amount: bytes(20 * total(sizes)),
});

export const adamw = (sizes: readonly number[]): Kernel => ({
  build: (t) => {
    const tensors = sizes.flatMap((size) => [
      ...[t.f32([size]), t.f32([size]), t.f32([size])],
      t.f32(
        [size],
        noise(size).map((x) => x * x),
      ),
    ]);
    const attrs = {
      beta1: 0.9,
      beta2: 0.999,
      eps: 1e-8,
      weightDecay: 0.01,
      decoupled: 1,
      amsgrad: 0,
    };
    t.graph.add(adamwOp, [t.status, ...tensors], { ...slots(t), ...attrs });
    return [];
  },
  amount: bytes(28 * total(sizes)),
});

/** Norm of the gradient, step to the perturbed point, and back. */
export const samPoints = (size: number): Kernel => ({
  build: (t) => {
    const params = [t.f32([size])];
    const grads = [t.f32([size])];
    assign(params, samPerturb(params, grads, globalNorm(grads), 0.05));
    return [];
  },
  amount: bytes(28 * size),
});

/** Forward and every gradient; the operations are those of all pairs of steps, seen or not. */
export const causalAttention = (batch: number, steps: number, heads: number, dim: number): Kernel =>
  withGradients(
    new Array(3).fill([batch, steps, heads * dim]),
    (q, k, v) => attention(q, k, v, { heads, causal: true }),
    flop(6 * 2 * batch * heads * steps * steps * dim),
  );
