/** The same work in flatmin and in other programs, in alternating pairs of fresh processes. */
import { trainingOf } from '../digits.ts';
import { cores, flatmin, JS } from '../flatmin.ts';
import { gpt2Step } from '../gpt2.ts';
import {
  adamw,
  causalAttention,
  inBf16,
  type Kernel,
  lion,
  lionBf16,
  normalisedConvolution,
  product,
  type Sides,
  sgdMomentum,
} from '../kernels.ts';
import { lstmSteps } from '../lstm.ts';
import { mlpSteps } from '../mlp.ts';
import { openblas, tensorflow, torch, triad } from '../peers.ts';
import { timeProgram } from '../program.ts';
import { conditionedRoots, equalRoots } from '../roots.ts';
import type { Comparison, Sample, Subject, Suite, Target, Works } from '../suite.ts';

interface Duel {
  readonly perform: (target: Target) => Sample | Promise<Sample>;
  readonly peers: readonly Subject[];
  /** Of flatmin. Default the native backend on every core. */
  readonly target?: Target;
  readonly rounds?: Comparison['rounds'];
  readonly amount?: Comparison['amount'];
}

const kernel = (built: Kernel, peers: readonly Subject[], target?: Target): Duel => ({
  perform: (target) => timeProgram(target, built),
  peers,
  target,
  amount: built.amount,
});

const ONE_THREAD: Target = { device: 'cpu', threads: 1 };
const EVERY_CORE: Target = { device: 'cpu', threads: cores };

const M = 1_000_000;
const block = (d: number) => [
  d,
  d,
  3 * d * d,
  3 * d,
  d * d,
  d,
  d,
  d,
  4 * d * d,
  4 * d,
  4 * d * d,
  d,
];
/** Parameters of GPT-2 with 124 M: embeddings, twelve blocks, the last norm. */
const GPT2 = [50257 * 768, 1024 * 768, ...new Array(12).fill(block(768)).flat(), 768, 768];

const LISTS: Readonly<Record<string, readonly number[]>> = {
  '10 M': [10 * M],
  '100 M': [100 * M],
  'GPT-2 124 M': GPT2,
};
const UPDATES = { lion, sgd: sgdMomentum, adamw };
const narrowLion = lionBf16([10 * M]);

const moved = ({ amount }: Kernel): number => 1e9 * (amount?.giga ?? 0);
const updates = Object.entries(LISTS).flatMap(([list, sizes]) =>
  Object.entries(UPDATES).map(([method, make]): [string, Duel] => {
    const built = make(sizes);
    return [
      `${method} ${list}`,
      kernel(built, [triad(cores, moved(built)), torch('update', cores, method, sizes)]),
    ];
  }),
);

const SQUARES = [64, 128, 256, 512, 1024, 2048].map((n): Sides => ({ m: n, n, k: n }));
/** Convolutions as products, one image at a time: out, positions, inputs of a window. */
const CONVOLUTIONS = [
  [6, 784, 25],
  [16, 100, 150],
  [120, 1, 400],
  [64, 1024, 576],
  [128, 256, 1152],
  [256, 64, 2304],
  [512, 16, 4608],
] as const;
const products: readonly Sides[] = [
  ...SQUARES,
  ...CONVOLUTIONS.flatMap(([out, positions, inputs]): Sides[] => [
    { m: out, n: positions, k: inputs },
    { m: out, n: inputs, k: positions, transB: true },
    { m: inputs, n: positions, k: out, transA: true },
  ]),
];
const describeProduct = ({ m, n, k, transA, transB }: Sides) =>
  `matmul ${m}×${n}×${k}${transA ? ' Aᵀ' : ''}${transB ? ' Bᵀ' : ''}`;

const RESNET = [
  [100, 64, 32, 32],
  [100, 128, 16, 16],
  [100, 256, 8, 8],
  [100, 512, 4, 4],
] as const;
const describeStep = (image: readonly number[]) => `conv 3×3 ${image.join('×')} and batch norm`;

const BLOCKS = [16, 32, 64, 128].flatMap((n) => [16, 64].map((count) => [count, n] as const));
const roots = [...BLOCKS, ...[256, 512, 1024].map((n) => [1, n] as const)];
const conditions = [1e2, 1e4, 1e6].flatMap((condition) =>
  (
    [
      [16, 64],
      [1, 256],
      [1, 1024],
    ] as const
  ).map(([count, n]) => [condition, count, n] as const),
);

async function lenetStep(target: Target): Promise<Sample> {
  const steps = target.device === 'js' ? 10 : 300;
  const training = trainingOf('sgd', steps, target);
  await training.epoch();
  const done = await training.epoch();
  return { seconds: (done?.seconds ?? Number.NaN) / steps };
}

const DUELS: Readonly<Record<string, Duel>> = {
  ...Object.fromEntries(updates),
  'lion 10 M, momentum in bf16': kernel(narrowLion, [triad(cores, moved(narrowLion))]),
  ...Object.fromEntries(
    products.map((p) => [describeProduct(p), kernel(product(p), [openblas(1, p)], ONE_THREAD)]),
  ),
  'LeNet-5 step, batch 100': {
    perform: lenetStep,
    peers: [torch('lenet5', 1, 100), torch('lenet5', cores, 100)],
  },
  'LeNet-5 step in JavaScript, batch 100': {
    perform: lenetStep,
    peers: [tensorflow('lenet5', 100)],
    target: JS,
    rounds: 3,
  },
  'MLP 10-64-2 step with dropout, batch 32': {
    perform: (target) => mlpSteps(target, 32),
    peers: [torch('mlp', 1, 32)],
    target: ONE_THREAD,
  },
  'LSTM step, batch 2, 15 steps, hidden 128': {
    perform: (target) => lstmSteps(target, 2, 15),
    peers: [torch('tagger', 1, 2, 15)],
    target: ONE_THREAD,
  },
  'causal attention, 1024 steps, 12 heads of 64, forward and gradients': kernel(
    causalAttention(1, 1024, 12, 64),
    [torch('attention', cores, 1, 1024, 12, 64)],
  ),
  'GPT-2 124 M, AdamW step of 4 × 64 tokens': {
    perform: (target) => gpt2Step(target, 4, 64),
    peers: [torch('gpt2', cores, 4, 64)],
    rounds: 3,
  },
  ...Object.fromEntries(
    RESNET.map((image) => [
      `${describeStep(image)}, forward and gradients`,
      kernel(normalisedConvolution(image), [torch('convolution', cores, image)]),
    ]),
  ),
  ...Object.fromEntries(
    RESNET.map((image) => [
      `${describeStep(image)} in bf16, forward and gradients`,
      kernel(inBf16(normalisedConvolution(image)), [
        torch('convolution', cores, image, 'bfloat16'),
      ]),
    ]),
  ),
  'matmul 1024×1024×1024 in bf16': kernel(inBf16(product({ m: 1024, n: 1024, k: 1024 })), [
    torch('matmul', cores, 1024, 1024, 1024, 'bfloat16'),
  ]),
  ...Object.fromEntries(
    roots.map(([count, n]) => [
      `A^(−1/4), ${count} of ${n}×${n}`,
      kernel(equalRoots(count, n), [torch('roots', cores, count, n)]),
    ]),
  ),
  ...Object.fromEntries(
    conditions.map(([condition, count, n]) => [
      `A^(−1/4) of condition ${condition}, ${count} of ${n}×${n}`,
      kernel(conditionedRoots(count, n, condition), [
        torch('conditioned_roots', cores, count, n, condition),
      ]),
    ]),
  ),
};

export const works: Works = Object.fromEntries(
  Object.entries(DUELS).map(([name, { perform }]) => [name, perform]),
);

export const suite: Suite = {
  name: 'peers',
  title: 'flatmin against other programs',
  rounds: 10,
  onRequest: true,
  comparisons: Object.entries(DUELS).flatMap(([name, { peers, target = EVERY_CORE, ...duel }]) =>
    peers.map((peer) => ({
      name,
      subjects: [peer, flatmin('peers', name, target, 'flatmin')],
      ratio: 'speedup' as const,
      rounds: duel.rounds,
      amount: duel.amount,
    })),
  ),
};
