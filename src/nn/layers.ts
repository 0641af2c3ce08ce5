import { checkBoolean, checkNames, show, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { type Shape, sameShape, sizeOf } from '../graph/types.ts';
import { checkGelu } from '../ops/activations.ts';
import { checkFlip, checkPadding } from '../ops/augment.ts';
import { batchNorm as batchNormOp, normaliseBy, trackStatistics } from '../ops/batch_norm.ts';
import { checkProbability } from '../ops/dropout.ts';
import * as ops from '../ops/index.ts';
import { pair } from '../ops/windows.ts';
import { fanInUniform, ones, zeros } from './init.ts';
import type { Layer } from './layer.ts';

const named = (label: string, layer: Layer): Layer => Object.assign(layer, { label });

function expectCount(layer: string, name: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 1) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${layer} expects ${name} to be a whole number of at least 1, got ${show(value)}`,
    );
  }
}

function expectNumber(
  layer: string,
  name: string,
  value: number,
  range: string,
  fits: boolean,
): void {
  if (Number.isFinite(value) && fits) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `${layer} expects ${name} to be a finite number ${range}, got ${show(value)}`,
  );
}

export interface LinearOptions {
  /** Default true. */
  bias?: boolean;
}

/** y = x Wᵀ + b over the last dimension. Weight [out, in] and bias [out] start from U(±1/√in). */
export function linear(out: number, options: LinearOptions = {}): Layer {
  expectCount('linear', 'out', out);
  checkNames<LinearOptions>('linear', options, { bias: true });
  const bias = checkBoolean('bias of linear', options.bias ?? true);
  return named(`linear(${out})`, (x, scope) => {
    const features = x.shape[x.shape.length - 1] ?? 1;
    const init = fanInUniform(features);
    return ops.linear(
      x,
      scope.param('weight', [out, features], init),
      bias ? scope.param('bias', [out], init) : undefined,
    );
  });
}

export interface Conv2dOptions extends LinearOptions, ops.Conv2dOptions {}

/**
 * Convolution of images [n, channels, h, w] with `out` kernels. Weight [out, channels / groups, kh, kw] and
 * bias [out] start from U(±1/√fan_in), fan_in = channels / groups · kh · kw.
 */
export function conv2d(
  out: number,
  kernel: number | readonly [number, number],
  given: Conv2dOptions = {},
): Layer {
  expectCount('conv2d', 'out', out);
  checkNames<Conv2dOptions>('conv2d', given, {
    bias: true,
    stride: true,
    padding: true,
    groups: true,
  });
  const { bias: biased = true, ...options } = given;
  const bias = checkBoolean('bias of conv2d', biased);
  const [kh, kw] = Array.isArray(kernel) ? kernel : [kernel, kernel];
  expectCount('conv2d', 'the kernel', kh);
  expectCount('conv2d', 'the kernel', kw);
  return named(`conv2d(${out}, ${kh}×${kw})`, (x, scope) => {
    const channels = Math.floor((x.shape[1] ?? 1) / (options.groups ?? 1));
    const init = fanInUniform(channels * kh * kw);
    return ops.conv2d(
      x,
      scope.param('weight', [out, channels, kh, kw], init),
      bias ? scope.param('bias', [out], init) : undefined,
      options,
    );
  });
}

/**
 * Rows of a table by tokens i32 [batch, steps] → [batch, steps, dim]. The table, `embedding` [vocabulary, dim], starts
 * from U(±√3), of variance 1 as PyTorch's. Token −1 is padding and gives zeros; what follows a row's last token is past
 * its end for the sequence layers after this one. A token outside the vocabulary makes the loss NaN.
 */
export function embedding(vocabulary: number, dim: number): Layer {
  expectCount('embedding', 'the vocabulary', vocabulary);
  expectCount('embedding', 'dim', dim);
  return named(`embedding(${vocabulary}, ${dim})`, (tokens, scope) => {
    const init = { kind: 'uniform', bound: Math.sqrt(3) } as const;
    const y = ops.embedding(scope.param('embedding', [vocabulary, dim], init), tokens);
    if (tokens.shape.length === 2) scope.lengths = ops.lengths(tokens);
    return y;
  });
}

export interface BatchNormOptions {
  /** ε beside the variance. Default 1e-5. */
  eps?: number;
  /** Weight of a batch in the running statistics. Default 0.1. */
  momentum?: number;
}

/**
 * Batch normalisation (Ioffe & Szegedy 2015) of [n, channels, …], as PyTorch's BatchNorm1d and BatchNorm2d:
 * y = (x − mean)/√(variance + ε) · weight + bias for each channel, with the batch's mean and biased variance while
 * training and the running ones in evaluation. After each step
 * running ← (1 − momentum) · running + momentum · batch, the variance unbiased.
 *
 * Trained: `weight` (1 at first) and `bias` (0). Not trained, but part of checkpoints and saved weights:
 * `running_mean` (0) and `running_var` (1). Skipped steps and SAM's second pass leave them alone; with `accumulate`
 * every micro-batch is normalised by itself and moves them. A batch of one value a channel leaves `running_var` alone.
 */
export function batchNorm(options: BatchNormOptions = {}): Layer {
  checkNames<BatchNormOptions>('batchNorm', options, { eps: true, momentum: true });
  const { eps = 1e-5, momentum = 0.1 } = options;
  expectNumber('batchNorm', 'eps', eps, 'above 0', eps > 0);
  expectNumber('batchNorm', 'momentum', momentum, 'from 0 to 1', momentum >= 0 && momentum <= 1);
  return named('batchNorm()', (x, scope) => {
    const channels = x.shape[1] ?? 1;
    const affine = {
      weight: scope.param('weight', [channels], ones),
      bias: scope.param('bias', [channels], zeros),
    };
    const running = {
      mean: scope.buffer('running_mean', [channels], zeros),
      variance: scope.buffer('running_var', [channels], ones),
    };
    if (!scope.training) return normaliseBy(x, affine, running, eps);
    const { y, ...batch } = batchNormOp(x, affine, eps);
    const count = x.shape[0] * sizeOf(x.shape.slice(2));
    scope.afterStep((status) => trackStatistics(status, running, batch, { momentum, count }));
    return y;
  });
}

export interface LayerNormOptions {
  /** ε beside the variance. Default 1e-5. */
  eps?: number;
  /** Default true. */
  bias?: boolean;
  /** How many of the last dimensions are normalised together. Default 1. */
  dims?: number;
}

/**
 * Layer normalisation (Ba et al. 2016) over the last dimensions, as PyTorch's LayerNorm:
 * (x − mean)/√(variance + ε) · weight + bias, `weight` (1 at first) and `bias` (0) shaped as these dimensions.
 */
export function layerNorm(options: LayerNormOptions = {}): Layer {
  checkNames<LayerNormOptions>('layerNorm', options, { eps: true, bias: true, dims: true });
  const { eps = 1e-5, dims = 1 } = options;
  const bias = checkBoolean('bias of layerNorm', options.bias ?? true);
  expectNumber('layerNorm', 'eps', eps, 'above 0', eps > 0);
  expectCount('layerNorm', 'dims', dims);
  return named('layerNorm()', (x, scope) => {
    const shape = lastDims('layerNorm', x.shape, dims);
    const weight = scope.param('weight', shape, ones);
    return ops.layerNorm(x, weight, bias ? scope.param('bias', shape, zeros) : undefined, eps);
  });
}

function lastDims(layer: string, shape: Shape, dims: number): Shape {
  if (shape.length > dims) return shape.slice(-dims);
  throw new FlatminError(
    'FLATMIN_SHAPE',
    `${layer} expects rows before the ${dims} dimensions that it normalises, got [${shape.join(', ')}]`,
  );
}

export interface RmsNormOptions extends Omit<LayerNormOptions, 'bias'> {
  /** ε beside the mean square. Default 2⁻²³. */
  eps?: number;
}

/** x/√(mean of x² + ε) · weight over the last dimensions (Zhang & Sennrich 2019), as PyTorch's RMSNorm; `weight` is 1 at first. */
export function rmsNorm(options: RmsNormOptions = {}): Layer {
  checkNames<RmsNormOptions>('rmsNorm', options, { eps: true, dims: true });
  const { eps = 2 ** -23, dims = 1 } = options;
  expectNumber('rmsNorm', 'eps', eps, 'above 0', eps > 0);
  expectCount('rmsNorm', 'dims', dims);
  return named('rmsNorm()', (x, scope) =>
    ops.rmsNorm(x, scope.param('weight', lastDims('rmsNorm', x.shape, dims), ones), eps),
  );
}

export const relu = (): Layer => named('relu()', (x) => ops.relu(x));
export const tanh = (): Layer => named('tanh()', (x) => ops.tanh(x));
export const sigmoid = (): Layer => named('sigmoid()', (x) => ops.sigmoid(x));
/** x Φ(x), or with `approximate: 'tanh'` GPT-2's form of it. */
export function gelu(options: ops.GeluOptions = {}): Layer {
  checkGelu(options);
  return named('gelu()', (x) => ops.gelu(x, options));
}
/** x / (1 + e^−x). */
export const silu = (): Layer => named('silu()', (x) => ops.silu(x));
/** Over the last dimension. Not before `crossEntropy()`, which takes logits. */
export const softmax = (): Layer => named('softmax()', (x) => ops.softmax(x));
/** [n, …] to [n, features]. */
export const flatten = (): Layer => named('flatten()', (x) => ops.flatten(x));

/** The largest element of each window of images [n, c, h, w]; the stride defaults to the kernel. */
export const maxPool2d = (kernel: number, options: WindowOptions = {}): Layer =>
  pool('maxPool2d', kernel, options, ops.maxPool2d);

/** The mean of each window of images [n, c, h, w]; the stride defaults to the kernel. */
export const avgPool2d = (kernel: number, options: WindowOptions = {}): Layer =>
  pool('avgPool2d', kernel, options, ops.avgPool2d);

type WindowOptions = Omit<ops.PoolOptions, 'kernel'>;

function pool(
  name: string,
  kernel: number,
  options: WindowOptions,
  op: typeof ops.maxPool2d,
): Layer {
  checkNames<WindowOptions>(name, options, { stride: true, padding: true });
  const [kh, kw] = pair(name, 'the kernel', kernel, 1);
  return named(`${name}(${kh === kw ? kh : `${kh}×${kw}`})`, (x) => op(x, { kernel, ...options }));
}

/** The mean of each channel of images [n, c, h, w] → [n, c], of images of any size. */
export const globalAvgPool2d = (): Layer =>
  named('globalAvgPool2d()', (x) => {
    if (x.shape.length === 4 && x.shape[2] > 0 && x.shape[3] > 0) return ops.mean(x, [2, 3]);
    throw new FlatminError(
      'FLATMIN_SHAPE',
      `globalAvgPool2d expects images [n, channels, height, width] of at least one pixel, got [${x.shape.join(', ')}]`,
    );
  });

/**
 * y = body(x) + x, or + shortcut(x) where the body changes the shape (He et al. 2016). Parameters of the body are named as
 * if it stood alone, those of the shortcut begin with `downsample`, as in torchvision's networks.
 */
export function residual(body: Layer, shortcut?: Layer): Layer {
  for (const [what, layer] of Object.entries({ body, shortcut })) {
    if (typeof layer === 'function' || (layer === undefined && what === 'shortcut')) continue;
    throw wrongArgument(`The ${what} of residual`, 'a layer', layer);
  }
  return named('residual()', (x, scope) => {
    const beside = shortcut === undefined ? x : scope.call('downsample', shortcut, x);
    const y = body(x, scope);
    if (sameShape(y.shape, beside.shape)) return ops.add(y, beside);
    throw new FlatminError(
      'FLATMIN_SHAPE',
      `residual adds a body of [${y.shape.join(', ')}] to [${beside.shape.join(', ')}]. Help: give it a shortcut that has the body's shape, such as a 1×1 convolution.`,
    );
  });
}

/** Sets elements to 0 with probability p while training and scales the others by 1/(1 − p). */
export function dropout(p: number): Layer {
  checkProbability(p);
  return named(`dropout(${p})`, (x, scope) =>
    scope.training ? ops.dropout(x, { p, stream: scope.stream() }) : x,
  );
}

export interface CropOptions {
  /** What lies around an image, as the layer sees images: after `normalise` black is no 0. Default 0. */
  value?: number;
}

/**
 * While training, crops as large as the images [n, c, h, w] are, each at a place of its own within `padding` pixels around
 * its image: moved by up to `padding` down and across, a number or [vertical, horizontal]. In evaluation x itself. All
 * passes of a step draw the same places.
 */
export function randomCrop2d(
  padding: number | readonly [number, number],
  options: CropOptions = {},
): Layer {
  checkNames<CropOptions>('randomCrop2d', options, { value: true });
  const { value = 0 } = options;
  const sides = checkPadding(padding);
  expectNumber('randomCrop2d', 'value', value, '', true);
  return named(`randomCrop2d(${sides.join(', ')})`, (x, scope) =>
    scope.training ? ops.randomCrop2d(x, { padding: sides, value, stream: scope.stream() }) : x,
  );
}

/** While training, each of the images [n, c, h, w] mirrored left to right with probability p; in evaluation x itself. */
export function randomFlip(p = 0.5): Layer {
  checkFlip(p);
  return named(`randomFlip(${p})`, (x, scope) =>
    scope.training ? ops.randomFlip(x, { p, stream: scope.stream() }) : x,
  );
}
