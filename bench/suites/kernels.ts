/** Single kernels at the sizes of LeNet-5 with batch 100, and optimizer updates over whole models. */

import { gradients } from '#flatmin/graph/gradients';
import type { Value } from '#flatmin/graph/graph';
import { adamwOp } from '#flatmin/ops/adamw';
import { conv2d } from '#flatmin/ops/conv2d';
import { matmul } from '#flatmin/ops/linear';
import { lionOp } from '#flatmin/ops/lion';
import { maxPool2d } from '#flatmin/ops/pool';
import { inverseRoots, kfacInverses } from '#flatmin/ops/roots';
import { globalNorm, restore, samPerturb } from '#flatmin/ops/sam';
import { sgdOp } from '#flatmin/ops/sgd';
import { crossEntropy } from '#flatmin/ops/softmax';
import { CPU, flatmin, JS } from '../flatmin.ts';
import { type Build, type Inputs, noise, timeProgram } from '../program.ts';
import type { Comparison, Suite, Works } from '../suite.ts';

interface Kernel {
  readonly build: Build;
  readonly amount?: Comparison['amount'];
}

const flop = (count: number): Comparison['amount'] => ({ giga: count / 1e9, unit: 'FLOP' });
const bytes = (count: number): Comparison['amount'] => ({ giga: count / 1e9, unit: 'B' });

const gemm = (m: number, n: number, k: number): Kernel => ({
  build: (t) => [matmul(t.f32([m, k]), t.f32([k, n]))],
  amount: flop(2 * m * n * k),
});

/** x wᵀ, the product of a linear layer's forward pass. */
const gemmTransposed = (m: number, n: number, k: number): Kernel => ({
  build: (t) => [matmul(t.f32([m, k]), t.f32([n, k]), { transB: true })],
  amount: flop(2 * m * n * k),
});

type ConvolutionPart = 'forward' | 'gradInput' | 'gradWeight';

function convolution(part: ConvolutionPart, image: number[], out: number, kernel: number): Kernel {
  const [, channels, height, width] = image;
  const shape = [image[0], out, height - kernel + 1, width - kernel + 1];
  const multiplications = shape.reduce((n, d) => n * d, 1) * channels * kernel * kernel;
  return {
    build: (t) => {
      const x = t.f32(image);
      const y = conv2d(x, t.f32([out, channels, kernel, kernel]), t.f32([out]));
      if (part === 'forward') return [y];
      const [dx, ...dw] = parts(y.node?.op.gradient?.(y.node, [t.f32(shape)]));
      return part === 'gradInput' ? [dx] : dw;
    },
    amount: flop(2 * multiplications),
  };
}

const parts = (gradient: readonly (Value | undefined)[] | undefined): Value[] =>
  (gradient ?? []).filter((value) => value !== undefined);

/** Forward and backward. */
const pool = (shape: number[]): Kernel => ({
  build: (t) => {
    const y = maxPool2d(t.f32(shape), { kernel: 2 });
    return [y, ...parts(y.node?.op.gradient?.(y.node, [t.f32(y.shape)]))];
  },
});

/** Loss and gradient. */
const softmaxCrossEntropy = (rows: number, classes: number): Kernel => ({
  build: (t) => {
    const logits = t.f32([rows, classes]);
    const labels = Int32Array.from({ length: rows }, (_, i) => i % classes);
    const loss = crossEntropy(logits, t.i32([rows], labels));
    return [loss, ...parts(gradients(loss, [logits]))];
  },
});

const slots = (t: Inputs) => ({
  lrSlot: t.graph.slot('lr', () => 1e-6).index,
  stepSlot: t.graph.step.index,
});

const lion = (size: number): Kernel => ({
  build: (t) => {
    const { lrSlot } = slots(t);
    const tensors = [t.f32([size]), t.f32([size]), t.f32([size])];
    const attrs = { lrSlot, beta1: 0.9, beta2: 0.99, weightDecay: 0.01 };
    t.graph.add(lionOp, [t.status, ...tensors], attrs);
    return [];
  },
  amount: bytes(20 * size),
});

const sgdMomentum = (size: number): Kernel => ({
  build: (t) => {
    const { lrSlot } = slots(t);
    const tensors = [t.f32([size]), t.f32([size]), t.f32([size])];
    const attrs = { lrSlot, momentum: 0.9, nesterov: 0, weightDecay: 0.01, decoupled: 0 };
    t.graph.add(sgdOp, [t.status, ...tensors], attrs);
    return [];
  },
  amount: bytes(20 * size),
});

const adamw = (size: number): Kernel => ({
  build: (t) => {
    const squares = noise(size).map((x) => x * x);
    const tensors = [t.f32([size]), t.f32([size]), t.f32([size]), t.f32([size], squares)];
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
  amount: bytes(28 * size),
});

/** Norm of the gradient, step to the perturbed point, and back. */
const samPoints = (size: number): Kernel => ({
  build: (t) => {
    const params = [t.f32([size])];
    const grads = [t.f32([size])];
    restore(params, samPerturb(params, grads, globalNorm(grads), 0.05));
    return [];
  },
  amount: bytes(28 * size),
});

/** LeNet-5's weights as matrices [out, in]; every layer has a bias [out] besides. */
const LAYERS = [
  [6, 25],
  [16, 150],
  [120, 400],
  [84, 120],
  [10, 84],
];

/** X Xᵀ / 2n + 10⁻⁴ I for n × 2n noise X. */
function definite(n: number): Float32Array {
  const x = noise(2 * n * n);
  const a = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < 2 * n; k++) sum += x[i * 2 * n + k] * x[j * 2 * n + k];
      a[i * n + j] = a[j * n + i] = sum / (2 * n) + (i === j ? 1e-4 : 0);
    }
  }
  return a;
}

/** All of Shampoo's roots: two a weight, one a bias. */
const shampooRoots = (method: 'eigh' | 'newton'): Kernel => ({
  build: (t) => {
    const matrix = (n: number, p: number) => ({
      statistics: t.f32([1, n, n], definite(n)),
      roots: t.f32([1, n, n]),
      p,
      tensor: 0,
    });
    const requests = LAYERS.flatMap(([out, input]) => [
      matrix(out, 4),
      matrix(input, 4),
      matrix(out, 2),
    ]);
    const counters = { failures: t.i32([requests.length]), updates: t.i32([1], Int32Array.of(1)) };
    inverseRoots(t.status, counters, requests, { epsilon: 0, ridge: 1e-6, method, beta: 1 });
    return [];
  },
});

/** All of K-FAC's inverses: one for the inputs, 1 for the bias among them, and one for the outputs of a layer. */
const kfacFactorInverses: Kernel = {
  build: (t) => {
    const layers = LAYERS.map(([out, input], tensor) => ({
      a: t.f32([input + 1, input + 1], definite(input + 1)),
      aInverse: t.f32([input + 1, input + 1]),
      g: t.f32([out, out], definite(out)),
      gInverse: t.f32([out, out]),
      tensor,
    }));
    kfacInverses(t.status, t.i32([2 * layers.length]), layers, 1e-3);
    return [];
  },
};

const M = 1_000_000;
const KERNELS: Readonly<Record<string, Kernel>> = {
  'matmul 128³': gemm(128, 128, 128),
  'matmul 256³': gemm(256, 256, 256),
  'matmul 512³': gemm(512, 512, 512),
  'matmul 100×84×120, fc1': gemmTransposed(100, 84, 120),
  'matmul 100×10×84, fc2': gemmTransposed(100, 10, 84),
  'conv1 forward': convolution('forward', [100, 1, 32, 32], 6, 5),
  'conv1 gradWeight': convolution('gradWeight', [100, 1, 32, 32], 6, 5),
  'conv2 forward': convolution('forward', [100, 6, 14, 14], 16, 5),
  'conv2 gradInput': convolution('gradInput', [100, 6, 14, 14], 16, 5),
  'conv2 gradWeight': convolution('gradWeight', [100, 6, 14, 14], 16, 5),
  'conv3 forward': convolution('forward', [100, 16, 5, 5], 120, 5),
  'conv3 gradInput': convolution('gradInput', [100, 16, 5, 5], 120, 5),
  'conv3 gradWeight': convolution('gradWeight', [100, 16, 5, 5], 120, 5),
  'maxPool 100×6×28×28 and gradient': pool([100, 6, 28, 28]),
  'maxPool 100×16×10×10 and gradient': pool([100, 16, 10, 10]),
  'crossEntropy 100×10 and gradient': softmaxCrossEntropy(100, 10),
  'crossEntropy 1000×1000 and gradient': softmaxCrossEntropy(1000, 1000),
  'sgd momentum 1 M': sgdMomentum(M),
  'lion 1 M': lion(M),
  'adamw 1 M': adamw(M),
  'sam norm, perturb, restore 1 M': samPoints(M),
  'sgd momentum 10 M': sgdMomentum(10 * M),
  'lion 10 M': lion(10 * M),
  'adamw 10 M': adamw(10 * M),
  'sam norm, perturb, restore 10 M': samPoints(10 * M),
  'inverseRoots eigh, LeNet-5': shampooRoots('eigh'),
  'inverseRoots newton, LeNet-5': shampooRoots('newton'),
  'kfacInverses, LeNet-5': kfacFactorInverses,
};

export const works: Works = Object.fromEntries(
  Object.entries(KERNELS).map(([name, { build }]) => [
    name,
    (target) => timeProgram(target, build),
  ]),
);

export const suite: Suite = {
  name: 'kernels',
  title: 'Kernels: native against the JavaScript fallback',
  rounds: 3,
  comparisons: Object.entries(KERNELS).map(([name, { amount }]) => ({
    name,
    subjects: [JS, ...CPU].map((target) => flatmin('kernels', name, target)),
    ratio: 'speedup',
    amount,
  })),
};
