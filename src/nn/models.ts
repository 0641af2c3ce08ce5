import { checkNames, checkOneOf, checkWhole } from '../arguments.ts';
import * as ops from '../ops/index.ts';
import type { Layer } from './layer.ts';
import {
  batchNorm,
  conv2d,
  dropout,
  embedding,
  flatten,
  globalAvgPool2d,
  linear,
  maxPool2d,
  relu,
  residual,
  sigmoid,
  tanh,
} from './layers/index.ts';
import { type LstmOptions, lstm } from './layers/recurrent.ts';
import { sequential } from './sequential.ts';

/** LeNet-5 for images [n, 1, 32, 32]: three 5×5 convolutions (6, 16, 120), two max-pools, 84, `classes`; ReLU. */
export const lenet5 = (classes = 10): Layer =>
  sequential({
    conv1: conv2d(6, 5),
    relu1: relu(),
    pool1: maxPool2d(2),
    conv2: conv2d(16, 5),
    relu2: relu(),
    pool2: maxPool2d(2),
    conv3: conv2d(120, 5),
    relu3: relu(),
    flatten: flatten(),
    fc1: linear(84),
    relu4: relu(),
    fc2: linear(classes),
  });

const ACTIVATIONS = { relu, tanh, sigmoid } as const;

/**
 * Options of a network of fully connected layers: their sizes, what stands between them, and dropout. An unknown option
 * is `FLATMIN_ARGUMENT`.
 */
export interface MlpOptions {
  /** Units of the hidden layers, first to last; a number is one layer. Default 64. */
  readonly hidden?: number | readonly number[];
  /** Outputs: classes, or numbers to predict. */
  readonly out: number;
  /** Default `relu`. */
  readonly activation?: keyof typeof ACTIVATIONS;
  /** Probability of setting a hidden unit to 0 while training. Default 0. */
  readonly dropout?: number;
}

/**
 * A multilayer perceptron for rows [n, features]: `fc1`, `fc2`, …, each but the last followed by its activation and
 * dropout.
 */
export function mlp(options: MlpOptions): Layer {
  checkNames<MlpOptions>('mlp', options, {
    hidden: true,
    out: true,
    activation: true,
    dropout: true,
  });
  const { hidden = 64, out, activation = 'relu', dropout: p = 0 } = options;
  checkWhole('out of mlp', out, 1);
  const units: readonly number[] = Array.isArray(hidden) ? hidden : [hidden];
  for (const count of units) checkWhole('hidden of mlp', count, 1);
  const names = Object.keys(ACTIVATIONS) as (keyof typeof ACTIVATIONS)[];
  const activate = ACTIVATIONS[checkOneOf('activation of mlp', activation, names)];
  const drop = dropout(p);
  const layers = units.flatMap((count, i): [string, Layer][] => [
    [`fc${i + 1}`, linear(count)],
    [`${activation}${i + 1}`, activate()],
    ...(p === 0 ? [] : [[`dropout${i + 1}`, drop] as [string, Layer]]),
  ]);
  return sequential({ ...Object.fromEntries(layers), [`fc${units.length + 1}`]: linear(out) });
}

/** Options of ResNet-18. An unknown option is `FLATMIN_ARGUMENT`. */
export interface Resnet18Options {
  /** Default 10. */
  readonly classes?: number;
  /** Channels of the first stage, doubled in each of the next three. Default 64. */
  readonly width?: number;
}

/**
 * ResNet-18 (He et al. 2016) for small images [n, channels, h, w] as CIFAR-10's: a 3×3 convolution instead of the strided
 * 7×7 and its pool, four stages of two blocks, strides 1, 2, 2, 2, the mean over each channel and a linear layer. For 3
 * channels and 10 classes 11,173,962 parameters, named as torchvision's.
 */
export function resnet18(options: Resnet18Options = {}): Layer {
  checkNames<Resnet18Options>('resnet18', options, { classes: true, width: true });
  const { classes = 10, width = 64 } = options;
  checkWhole('classes of resnet18', classes, 1);
  checkWhole('width of resnet18', width, 1);
  const stage = (channels: number, stride: number) =>
    sequential(basicBlock(channels, stride), basicBlock(channels, 1));
  return sequential({
    conv1: conv2d(width, 3, { padding: 1, bias: false }),
    bn1: batchNorm(),
    relu: relu(),
    layer1: stage(width, 1),
    layer2: stage(2 * width, 2),
    layer3: stage(4 * width, 2),
    layer4: stage(8 * width, 2),
    avgpool: globalAvgPool2d(),
    fc: linear(classes),
  });
}

/** Two 3×3 convolutions beside their input, which a 1×1 convolution fits to them where the stride changes its size. */
function basicBlock(channels: number, stride: number): Layer {
  const conv = (kernel: number, stride: number) =>
    conv2d(channels, kernel, { stride, padding: kernel >> 1, bias: false });
  const block = residual(
    sequential({
      conv1: conv(3, stride),
      bn1: batchNorm(),
      relu: relu(),
      conv2: conv(3, 1),
      bn2: batchNorm(),
    }),
    stride === 1 ? undefined : sequential(conv(1, stride), batchNorm()),
  );
  return (x, scope) => ops.relu(block(x, scope));
}

/**
 * Options of a tagger of tokens by an LSTM: its vocabulary, its tags and its sizes. An unknown option is
 * `FLATMIN_ARGUMENT`.
 */
export interface LstmTaggerOptions
  extends Pick<LstmOptions, 'layers' | 'bidirectional' | 'dropout' | 'projection'> {
  /** Tokens that there are. */
  readonly vocabulary: number;
  /** Classes of a token. */
  readonly tags: number;
  /** Numbers that a token becomes. Default 100. */
  readonly embedding?: number;
  /** Units of the LSTM. Default 128. */
  readonly hidden?: number;
}

/** Tags for tokens i32 [n, steps], −1 past a row's end → [n, steps, tags]: `embedding`, `lstm` and a linear layer `fc`. */
export function lstmTagger(options: LstmTaggerOptions): Layer {
  checkNames<LstmTaggerOptions>('lstmTagger', options, {
    vocabulary: true,
    tags: true,
    embedding: true,
    hidden: true,
    layers: true,
    bidirectional: true,
    dropout: true,
    projection: true,
  });
  const { vocabulary, tags, embedding: dim = 100, hidden = 128, ...recurrent } = options;
  return sequential({
    embedding: embedding(vocabulary, dim),
    lstm: lstm(hidden, recurrent),
    fc: linear(tags),
  });
}
