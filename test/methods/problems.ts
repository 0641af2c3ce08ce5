/** What the methods are run on: gradients of the caller's own, and two small networks. */
import {
  type Params,
  type RegressionDataset,
  sgd,
  squaredError,
  trainStep,
} from '../../src/index.ts';
import { permutation, STREAM, uniforms } from '../../src/random/philox.ts';
import type { Rows } from '../optim/oracles/matrix.ts';
import { alongOf, forward, type LayerRows, type LayerSpec } from '../optim/oracles/network.ts';
import type { Grads64, Tensors64 } from '../optim/oracles/oracle.ts';
import { gradient64 } from '../optim/slopes.ts';
import { IMAGE, model, NET, CLASSES as OUT, ROWS } from '../optim/small-network.ts';
import { randomParams } from '../optim/tensors.ts';
import { normal } from '../random/normal.ts';

export interface Problem {
  readonly start: () => Params;
  readonly gradient: (params: Tensors64) => Grads64;
  /** Of a network: what each layer saw of each example. */
  readonly rows?: (params: Tensors64) => LayerRows[][];
  /** The same for each output of an example, whose mean is the exact Fisher. */
  readonly fisherRows?: (params: Tensors64) => LayerRows[][];
  /** The same for targets drawn in step t from N(f, I). */
  readonly drawnRows?: (params: Tensors64, t: number) => LayerRows[][];
  /** aᵀFb of the exact Fisher, a and b a matrix a layer. */
  readonly curvature?: (params: Tensors64) => (a: readonly Rows[], b: readonly Rows[]) => number;
}

/** Tensors of every order; of each gradient's statistics at most one eigenvalue is 0. */
export const slopes: Problem = {
  start: () =>
    randomParams({ matrix: [5, 4], vector: [7], scalar: [], kernel: [4, 2, 2], empty: [0, 3] }),
  gradient: gradient64,
};

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

/** Squared error of a network on a batch, example by example; in step t row r of the batch is example order(t)[r]. */
function network(
  net: readonly LayerSpec[],
  data: RegressionDataset,
  start: () => Params,
  order: (t: number) => ArrayLike<number> = () => Array.from({ length: ROWS }, (_, r) => r),
): Problem {
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
    drawnRows: (params, t) => {
      const source = { seed: 0, stream: STREAM.labels, step: t };
      const examples = passes(params);
      return Array.from(order(t), (example, row) => {
        const { logits, backwardFrom } = examples[example];
        return backwardFrom(logits.map((_, c) => -normal(source, row * OUT + c)));
      });
    },
    curvature: (params) => {
      const derivatives = passes(params).map(alongOf);
      const along = (direction: readonly Rows[]) => derivatives.flatMap((of) => of(direction));
      return (a, b) => {
        const [ja, jb] = [along(a), along(b)];
        return ja.reduce((sum, x, i) => sum + x * jb[i], 0) / ROWS;
      };
    },
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

export const images = examples(IMAGE);

export const LEARN = { loss: squaredError(), batch: ROWS, seed: 0 };

function initialised(): Params {
  const optimizer = sgd({ lr: 0 });
  const input = images.inputs.shape;
  return trainStep(model(), { ...LEARN, input, optimizer, device: 'js' }).model.parameters();
}

export const convolutional = network(NET, images, initialised);

/** The same where every step is an epoch, with its rows in the epoch's order. */
export const shuffled = network(NET, images, initialised, (t) =>
  permutation({ seed: 0, stream: STREAM.shuffle, step: t - 1 }, ROWS),
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
