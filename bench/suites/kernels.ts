/** Single kernels at the sizes of LeNet-5 with batch 100, and optimizer updates over whole models. */
import { batchNorm } from '#flatmin/ops/batch_norm';
import * as ops from '#flatmin/ops/index';
import { CPU, flatmin, JS } from '../flatmin.ts';
import {
  adamw,
  convolution,
  inBf16,
  type Kernel,
  lion,
  lionBf16,
  pool,
  product,
  products,
  recurrence,
  samPoints,
  sgdMomentum,
  softmaxCrossEntropy,
  withGradients,
} from '../kernels.ts';
import { timeProgram } from '../program.ts';
import { kfacFactorInverses, shampooRoots } from '../roots.ts';
import type { Suite, Works } from '../suite.ts';

const M = 1_000_000;
const WIDTH = 128;
const ROWS = [6400, WIDTH];
const SEQUENCES = [64, 100, WIDTH];
const IMAGES = [100, 64, 32, 32];
const CROP = { padding: [4, 4], value: 0, stream: 0 } as const;
const FLIP = { p: 0.5, stream: 0 };
const KERNELS: Readonly<Record<string, Kernel>> = {
  'matmul 128³': product({ m: 128, n: 128, k: 128 }),
  'matmul 256³': product({ m: 256, n: 256, k: 256 }),
  'matmul 512³': product({ m: 512, n: 512, k: 512 }),
  'matmul 512³ in bf16': inBf16(product({ m: 512, n: 512, k: 512 })),
  'matmul 100×84×120, fc1': product({ m: 100, n: 84, k: 120, transB: true }),
  'matmul 100×10×84, fc2': product({ m: 100, n: 10, k: 84, transB: true }),
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
  'layerNorm 6400×128 and gradient': withGradients([ROWS, [WIDTH], [WIDTH]], (x, w, b) =>
    ops.layerNorm(x, w, b),
  ),
  'rmsNorm 6400×128 and gradient': withGradients([ROWS, [WIDTH]], (x, w) => ops.rmsNorm(x, w)),
  'gelu 6400×128 and gradient': withGradients([ROWS], (x) => ops.gelu(x)),
  'silu 6400×128 and gradient': withGradients([ROWS], (x) => ops.silu(x)),
  'softmax 6400×128 and gradient': withGradients([ROWS], (x) => ops.softmax(x)),
  'logSoftmax 6400×128 and gradient': withGradients([ROWS], (x) => ops.logSoftmax(x)),
  'clip 6400×128 and gradient': withGradients([ROWS], (x) => ops.clip(x, -1, 1)),
  'pow 6400×128 and gradient': withGradients([ROWS], (x) => ops.pow(x, 3)),
  'where 6400×128 and gradient': withGradients([ROWS, ROWS], (a, b) =>
    ops.where(ops.less(a, b), a, b),
  ),
  'concat of two 6400×128 and gradient': withGradients([ROWS, ROWS], (a, b) =>
    ops.concat([a, b], 1),
  ),
  'permute 64×100×128 and gradient': withGradients([SEQUENCES], (x) => ops.permute(x, [1, 0, 2])),
  'slice 64×50×128 and gradient': withGradients([SEQUENCES], (x) =>
    ops.slice(x, [[null], [25, 75]]),
  ),
  'pad 64×100×128 and gradient': withGradients([SEQUENCES], (x) =>
    ops.pad(x, [
      [0, 0],
      [1, 1],
      [0, 0],
    ]),
  ),
  'sum 6400×128 by columns and gradient': withGradients([ROWS], (x) => ops.sum(x, [0])),
  'argmax 6400×128': { build: (t) => [ops.argmax(t.f32(ROWS), 1)] },
  'oneHot 6400×128': { build: (t) => [ops.oneHot(t.i32([ROWS[0]]), WIDTH)] },
  'batched matmul 48 × 64³ and gradients': products(48, 64),
  'batchNorm 100×64×32×32 and gradient': withGradients(
    [IMAGES, [64], [64]],
    (x, weight, bias) => batchNorm(x, { weight, bias }, 1e-5).y,
  ),
  'residual sum and relu 100×64×32×32': withGradients([IMAGES, IMAGES], (a, b) =>
    ops.relu(ops.add(a, b)),
  ),
  'avgPool 100×512×4×4 to one and gradient': withGradients([[100, 512, 4, 4]], (x) =>
    ops.mean(x, [2, 3]),
  ),
  'randomCrop2d 100×3×32×32': { build: (t) => [ops.randomCrop2d(t.f32([100, 3, 32, 32]), CROP)] },
  'randomFlip 100×3×32×32': { build: (t) => [ops.randomFlip(t.f32([100, 3, 32, 32]), FLIP)] },
  'rnn 2×15×128 and gradient': recurrence({ op: 'rnn', batch: 2, steps: 15 }),
  'lstm 2×15×128 and gradient': recurrence({ op: 'lstm', batch: 2, steps: 15 }),
  'lstm 2×15×128, projection 64, and gradient': recurrence({
    op: 'lstm',
    batch: 2,
    steps: 15,
    projection: 64,
  }),
  'lstm 2×15×128 in both directions and gradient': recurrence({
    op: 'lstm',
    batch: 2,
    steps: 15,
    bidirectional: true,
  }),
  'rnn 32×50×128 and gradient': recurrence({ op: 'rnn', batch: 32, steps: 50 }),
  'lstm 32×50×128 in both directions and gradient': recurrence({
    op: 'lstm',
    batch: 32,
    steps: 50,
    bidirectional: true,
  }),
  'sgd momentum 1 M': sgdMomentum([M]),
  'lion 1 M': lion([M]),
  'adamw 1 M': adamw([M]),
  'sam norm, perturb, restore 1 M': samPoints(M),
  'sgd momentum 10 M': sgdMomentum([10 * M]),
  'lion 10 M': lion([10 * M]),
  'lion bf16 10 M': lionBf16([10 * M]),
  'adamw 10 M': adamw([10 * M]),
  'sam norm, perturb, restore 10 M': samPoints(10 * M),
  'inverseRoots eigh, LeNet-5': shampooRoots('eigh'),
  'inverseRoots newton, LeNet-5': shampooRoots('newton'),
  'kfacInverses, LeNet-5': kfacFactorInverses,
};

export const works: Works = Object.fromEntries(
  Object.entries(KERNELS).map(([name, kernel]) => [name, (target) => timeProgram(target, kernel)]),
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
