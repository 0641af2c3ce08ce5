/** A convolution and two linear layers with their data, for K-FAC and its oracle. */
import {
  conv2d,
  type Dataset,
  type DeviceName,
  fit,
  flatten,
  type KfacOptions,
  kfac,
  type Layer,
  linear,
  sequential,
  tanh,
} from '../../src/index.ts';
import { permutation, STREAM, uniforms } from '../../src/random/philox.ts';
import type { Forward, LayerSpec } from './oracles/network.ts';
import type { Tensors64 } from './oracles/oracle.ts';
import { doubleParams } from './tensors.ts';

export const ROWS = 8;
export const CLASSES = 3;
export const SEED = 11;
export const IMAGE = [2, 5, 4];

/** `copies` of the same ROWS examples. */
export function images(copies = 1): Dataset {
  const width = IMAGE.reduce((n, d) => n * d);
  const once = uniforms({ seed: 3, stream: 0, step: 0 }, ROWS * width).map((u) => 2 * u - 1);
  const data = new Float32Array(copies * once.length);
  for (let i = 0; i < copies; i++) data.set(once, i * once.length);
  const labels = Int32Array.from({ length: copies * ROWS }, (_, i) => (i % ROWS) % CLASSES);
  const count = copies * ROWS;
  return {
    name: 'images',
    synthetic: true,
    inputs: { data, shape: IMAGE },
    labels,
    classes: CLASSES,
    count,
  };
}

/** Smooth, so that no element sits on a kink; with a stride, padding, and a layer without a bias. */
export const model = (): Layer =>
  sequential({
    conv: conv2d(3, [3, 2], { stride: [2, 1], padding: [1, 0] }),
    act1: tanh(),
    flatten: flatten(),
    hidden: linear(4, { bias: false }),
    act2: tanh(),
    head: linear(CLASSES),
  });
export const NET: LayerSpec[] = [
  { kind: 'conv2d', name: 'conv', stride: [2, 1], padding: [1, 0] },
  { kind: 'tanh' },
  { kind: 'flatten' },
  { kind: 'linear', name: 'hidden' },
  { kind: 'tanh' },
  { kind: 'linear', name: 'head' },
];
export const LAYERS = ['conv', 'hidden', 'head'];

/** A step is an epoch: the batch is the whole set. */
export const wholeSet = (device: DeviceName, given: KfacOptions) => ({
  optimizer: kfac(given),
  batch: 1e6,
  seed: SEED,
  device,
});

export async function initialParams(device: DeviceName): Promise<Tensors64> {
  const options = { ...wholeSet(device, { lr: 1 }), epochs: 0 };
  const { model: fitted } = await fit(model(), { train: images() }, options);
  return doubleParams(fitted.parameters());
}

/** Examples of an epoch, in its order. */
export function batchOf(data: Dataset, epoch: number) {
  const order = permutation({ seed: SEED, stream: STREAM.shuffle, step: epoch }, data.count);
  const width = data.inputs.data.length / data.count;
  return [...order].map((row) => ({
    image: {
      shape: data.inputs.shape,
      data: Array.from(data.inputs.data.subarray(row * width, (row + 1) * width)),
    },
    label: data.labels[row],
  }));
}

/** The first class whose cumulative probability exceeds uniform(seed, step, row). */
export function drawLabel({ probabilities }: Forward, step: number, row: number): number {
  const u = uniforms({ seed: SEED, stream: STREAM.labels, step }, row + 1)[row];
  let cumulative = 0;
  const label = probabilities.findIndex((p) => {
    cumulative += p;
    return cumulative > u;
  });
  return label === -1 ? CLASSES - 1 : label;
}
