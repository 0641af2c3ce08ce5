import { FlatminError } from '../errors.ts';
import * as ops from '../ops/index.ts';
import { fanInUniform } from './init.ts';
import type { Layer } from './layer.ts';

const named = (label: string, layer: Layer): Layer => Object.assign(layer, { label });

function expectCount(layer: string, name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${layer} expects ${name} to be a whole number of at least 1, got ${value}`,
    );
  }
}

export interface LinearOptions {
  /** Default true. */
  bias?: boolean;
}

/** y = x Wᵀ + b over the last dimension. Weight [out, in] and bias [out] start from U(±1/√in). */
export function linear(out: number, { bias = true }: LinearOptions = {}): Layer {
  expectCount('linear', 'out', out);
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
  { bias = true, ...options }: Conv2dOptions = {},
): Layer {
  expectCount('conv2d', 'out', out);
  const [kh, kw] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
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

export const relu = (): Layer => named('relu()', (x) => ops.relu(x));
export const tanh = (): Layer => named('tanh()', (x) => ops.tanh(x));
export const sigmoid = (): Layer => named('sigmoid()', (x) => ops.sigmoid(x));
/** Over the last dimension. Not before `crossEntropy()`, which takes logits. */
export const softmax = (): Layer => named('softmax()', (x) => ops.softmax(x));
/** [n, …] to [n, features]. */
export const flatten = (): Layer => named('flatten()', (x) => ops.flatten(x));

/** The largest element of each window of images [n, c, h, w]; the stride defaults to the kernel. */
export const maxPool2d = (kernel: number, options: Omit<ops.PoolOptions, 'kernel'> = {}): Layer =>
  named(`maxPool2d(${kernel})`, (x) => ops.maxPool2d(x, { kernel, ...options }));

/** The mean of each window of images [n, c, h, w]; the stride defaults to the kernel. */
export const avgPool2d = (kernel: number, options: Omit<ops.PoolOptions, 'kernel'> = {}): Layer =>
  named(`avgPool2d(${kernel})`, (x) => ops.avgPool2d(x, { kernel, ...options }));

/** Sets elements to 0 with probability p while training and scales the others by 1/(1 − p). */
export const dropout = (p: number): Layer =>
  named(`dropout(${p})`, (x, scope) =>
    scope.training ? ops.dropout(x, { p, stream: scope.stream() }) : x,
  );
