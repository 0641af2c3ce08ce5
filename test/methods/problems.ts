/** What the methods are run on: gradients of the caller's own, and two small networks. */
import {
  conv2d,
  flatten,
  type Layer,
  linear,
  type Params,
  type RegressionDataset,
  sequential,
  sgd,
  squaredError,
  tanh,
  trainStep,
} from '../../src/index.ts';
import { STREAM, uniforms } from '../../src/random/philox.ts';
import type { LayerRows, LayerSpec } from '../optim/oracles/network.ts';
import { forward } from '../optim/oracles/network.ts';
import type { Grads64, Tensors64 } from '../optim/oracles/oracle.ts';
import { gradient64 } from '../optim/slopes.ts';
import { randomParams } from '../optim/tensors.ts';

export interface Problem {
  readonly start: () => Params;
  readonly gradient: (params: Tensors64) => Grads64;
  /** Of a network: what each layer saw of each example. */
  readonly rows?: (params: Tensors64) => LayerRows[][];
  /** The same for each output of an example, whose mean is the exact Fisher. */
  readonly fisherRows?: (params: Tensors64) => LayerRows[][];
}

/** Tensors of every order; of each gradient's statistics at most one eigenvalue is 0. */
export const slopes: Problem = {
  start: () =>
    randomParams({ matrix: [5, 4], vector: [7], scalar: [], kernel: [4, 2, 2], empty: [0, 3] }),
  gradient: gradient64,
};

const ROWS = 8;
const OUT = 3;
const drawn = (count: number, seed: number) =>
  uniforms({ seed, stream: STREAM.init, step: 0 }, count).map((u) => 2 * u - 1);

function examples(shape: number[]): RegressionDataset {
  const width = shape.reduce((n, d) => n * d);
  return {
    name: 'drawn',
    synthetic: true,
    inputs: { data: drawn(ROWS * width, 3), shape },
    targets: { data: drawn(ROWS * OUT, 4), shape: [OUT] },
    count: ROWS,
  };
}

/** Squared error of a network on a batch, example by example. */
function network(net: readonly LayerSpec[], data: RegressionDataset, start: () => Params): Problem {
  const { shape } = data.inputs;
  const width = data.inputs.data.length / ROWS;
  const passes = (params: Tensors64) =>
    Array.from({ length: ROWS }, (_, row) => {
      const image = data.inputs.data.subarray(row * width, (row + 1) * width);
      return forward(net, params, { shape, data: Array.from(image) });
    });
  const rows = (params: Tensors64) =>
    passes(params).map(({ logits, backwardFrom }, row) =>
      backwardFrom(logits.map((v, c) => v - data.targets.data[row * OUT + c])),
    );
  return {
    start,
    rows,
    fisherRows: (params) =>
      passes(params).flatMap(({ logits, backwardFrom }) =>
        logits.map((_, out) => backwardFrom(logits.map((_, c) => (c === out ? OUT ** 0.5 : 0)))),
      ),
    gradient: (params) => {
      const grads = Object.fromEntries(
        Object.entries(params).map(([name, { data }]) => [name, new Float64Array(data.length)]),
      );
      for (const { name, inputs, grads: outputs } of rows(params).flat()) {
        const weight = grads[`${name}.weight`];
        const columns = weight.length / outputs[0].length;
        outputs.forEach((ds, position) => {
          ds.forEach((d, o) => {
            for (let i = 0; i < columns; i++) {
              weight[o * columns + i] += (d * inputs[position][i]) / ROWS;
            }
            if (inputs[0].length > columns) grads[`${name}.bias`][o] += d / ROWS;
          });
        });
      }
      return grads;
    },
  };
}

export const images = examples([2, 5, 4]);

/** Smooth, so that no element sits on a kink; with a stride, padding, and a layer without a bias. */
export const model = (): Layer =>
  sequential({
    conv: conv2d(3, [3, 2], { stride: [2, 1], padding: [1, 0] }),
    act1: tanh(),
    flatten: flatten(),
    hidden: linear(4, { bias: false }),
    act2: tanh(),
    head: linear(OUT),
  });

export const LEARN = { loss: squaredError(), batch: ROWS, seed: 0 };

export const convolutional = network(
  [
    { kind: 'conv2d', name: 'conv', stride: [2, 1], padding: [1, 0] },
    { kind: 'tanh' },
    { kind: 'flatten' },
    { kind: 'linear', name: 'hidden' },
    { kind: 'tanh' },
    { kind: 'linear', name: 'head' },
  ],
  images,
  () => {
    const optimizer = sgd({ lr: 0 });
    const input = images.inputs.shape;
    return trainStep(model(), { ...LEARN, input, optimizer, device: 'js' }).model.parameters();
  },
);

/** Linear layers alone, which can be observed from outside. */
export const observed = network(
  [{ kind: 'linear', name: 'hidden' }, { kind: 'tanh' }, { kind: 'linear', name: 'head' }],
  examples([5]),
  () =>
    randomParams({
      'hidden.weight': [4, 5],
      'hidden.bias': [4],
      'head.weight': [OUT, 4],
      'head.bias': [OUT],
    }),
);
