import { checkBoolean, checkNames } from '../../arguments.ts';
import * as ops from '../../ops/index.ts';
import { fanInUniform } from '../init.ts';
import type { Layer } from '../layer.ts';
import { expectCount, named } from './checks.ts';
import type { LinearOptions } from './linear.ts';

/** Options of a two-dimensional convolution. An unknown option is `FLATMIN_ARGUMENT`. */
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
