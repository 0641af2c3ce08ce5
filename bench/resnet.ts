import type { Dataset } from '#flatmin/data/dataset';
import type { Layer } from '#flatmin/nn/layer';
import { avgPool2d, batchNorm, conv2d, flatten, linear, relu } from '#flatmin/nn/layers';
import { sequential } from '#flatmin/nn/sequential';
import * as ops from '#flatmin/ops/index';
import { noise } from './program.ts';

const convolution = (channels: number, kernel: number, stride = 1): Layer =>
  sequential(conv2d(channels, kernel, { stride, padding: kernel >> 1, bias: false }), batchNorm());

/** Two 3×3 convolutions beside their input, which a 1×1 convolution fits to them where they change its shape. */
const block = (channels: number, stride: number): Layer => {
  const body = sequential(convolution(channels, 3, stride), relu(), convolution(channels, 3));
  return (x, scope) => {
    const fits = stride === 1 && x.shape[1] === channels;
    const beside = fits ? x : scope.call('shortcut', convolution(channels, 1, stride), x);
    return ops.relu(ops.add(scope.call('body', body, x), beside));
  };
};

/** ResNet-18 as it is used for images [n, 3, 32, 32]: four stages of two blocks, from 64 channels to 512. */
export const resnet18 = (classes = 10): Layer =>
  sequential(
    convolution(64, 3),
    relu(),
    ...[64, 128, 256, 512].flatMap((channels, stage) => [
      block(channels, stage === 0 ? 1 : 2),
      block(channels, 1),
    ]),
    avgPool2d(4),
    flatten(),
    linear(classes),
  );

/** Noise of the size that it takes. */
export const imagesOf = (count: number): Dataset => ({
  name: 'noise',
  synthetic: true,
  inputs: { data: noise(count * 3 * 32 * 32), shape: [3, 32, 32] },
  labels: Uint8Array.from({ length: count }, (_, i) => i % 10),
  classes: 10,
  count,
});
