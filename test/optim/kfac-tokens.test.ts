/** K-FAC of an embedding, a recurrent and a linear layer over tokens, some of them padding. */
import { describe, expect, it } from 'vitest';
import {
  type Dataset,
  embedding,
  type KfacOptions,
  kfac,
  type Layer,
  linear,
  lstm,
  rnn,
  sequential,
  tokenCrossEntropy,
} from '../../src/index.ts';
import { permutation, STREAM, uniforms } from '../../src/random/philox.ts';
import { stateKey } from '../../src/step/trace.ts';
import { TrainedModel } from '../../src/train/model.ts';
import { Training } from '../../src/train/training.ts';
import { devices } from './devices.ts';
import { factors, kfacOracle } from './oracles/kfac.ts';
import type { Rows } from './oracles/matrix.ts';
import type { Tensors64 } from './oracles/oracle.ts';
import { layersOf, tagger } from './oracles/tagger.ts';

// More words than a batch has tokens, so that only their rows of the table move.
const [VOCABULARY, DIM, HIDDEN, CLASSES, STEPS, SEED] = [24, 3, 4, 3, 5, 11];
const LENGTHS = [5, 2, 1, 4];

/** The recurrent layer. */
const MODELS = {
  'an LSTM': () => lstm(HIDDEN),
  'a projected LSTM': () => lstm(HIDDEN, { projection: 3 }),
  'a plain network': () => rnn(HIDDEN),
};
type Recurrent = keyof typeof MODELS;

const model = (recurrent: Recurrent): Layer =>
  sequential({
    words: embedding(VOCABULARY, DIM),
    layer: MODELS[recurrent](),
    head: linear(CLASSES),
  });

/** Weights of the oracle's layers. */
const NAMES: Readonly<Record<string, string>> = {
  table: 'words.embedding',
  input: 'layer.weight_ih_l0',
  recurrent: 'layer.weight_hh_l0',
  projection: 'layer.weight_hr_l0',
  head: 'head.weight',
};

function sentences(): Dataset {
  const draw = (step: number, below: number) =>
    Int32Array.from(uniforms({ seed: 3, stream: 0, step }, LENGTHS.length * STEPS), (u, at) =>
      at % STEPS < LENGTHS[Math.floor(at / STEPS)] ? Math.floor(u * below) : -1,
    );
  return {
    name: 'sentences',
    synthetic: true,
    inputs: { data: draw(0, VOCABULARY), shape: [STEPS] },
    labels: draw(1, CLASSES),
    labelShape: [STEPS],
    classes: CLASSES,
    count: LENGTHS.length,
  };
}

/** The tokens of an epoch that count, row by row in its order, with their labels and places in the batch. */
function tokensOf({ inputs, labels, count }: Dataset, epoch: number) {
  const order = [...permutation({ seed: SEED, stream: STREAM.shuffle, step: epoch }, count)];
  const rows = order.map((row) => [
    ...inputs.data.subarray(row * STEPS, row * STEPS + LENGTHS[row]),
  ]);
  const places = order.flatMap((row, place) =>
    Array.from({ length: LENGTHS[row] }, (_, t) => ({
      label: labels[row * STEPS + t],
      place: place * STEPS + t,
    })),
  );
  return { rows, places };
}

/** The first class whose cumulative probability exceeds uniform(seed, step, place). */
function draw(probabilities: readonly number[], step: number, place: number): number {
  const u = uniforms({ seed: SEED, stream: STREAM.labels, step }, place + 1)[place];
  let cumulative = 0;
  return probabilities.findIndex((p) => {
    cumulative += p;
    return cumulative > u;
  });
}

function transposed(data: ArrayLike<number>, [rows, columns]: readonly number[]): Float64Array {
  return Float64Array.from(
    { length: rows * columns },
    (_, k) => data[(k % rows) * columns + Math.floor(k / rows)],
  );
}

/** The oracle's layers of the model's parameters. */
function paramsOf(training: Training): Tensors64 {
  const all = new TrainedModel(training).parameters();
  const copy = (name: string) => ({
    data: Float64Array.from(all[name].data),
    shape: [...all[name].shape],
  });
  return {
    'table.weight': {
      data: transposed(all['words.embedding'].data, [VOCABULARY, DIM]),
      shape: [DIM, VOCABULARY],
    },
    'input.weight': copy('layer.weight_ih_l0'),
    'input.bias': copy('layer.bias_l0'),
    'recurrent.weight': copy('layer.weight_hh_l0'),
    ...('layer.weight_hr_l0' in all && { 'projection.weight': copy('layer.weight_hr_l0') }),
    'head.weight': copy('head.weight'),
    'head.bias': copy('head.bias'),
  };
}

const start = (device: 'js' | 'cpu', recurrent: Recurrent, given: KfacOptions): Training =>
  new Training(
    model(recurrent),
    { train: sentences() },
    { optimizer: kfac(given), loss: tokenCrossEntropy(), batch: 100, seed: SEED, device },
  );

/** What the whole batch shows of each layer, by the labels of the data or drawn ones. */
function batchOf(params: Tensors64, t: number, drawn: boolean) {
  const { rows, places } = tokensOf(sentences(), t - 1);
  const { probabilities, backward } = tagger(params, rows);
  const data = backward(places.map(({ label }) => label));
  const loss = places.reduce((s, { label }, k) => s - Math.log(probabilities[k][label]), 0);
  const labels = places.map(({ place }, k) => draw(probabilities[k], t, place));
  return { data, fisher: drawn ? backward(labels) : data, loss: loss / places.length };
}

const VARIANTS: Omit<KfacOptions, 'lr'>[] = [
  { damping: 0.02, klClip: 1e-3, statisticsEvery: 1, inversesEvery: 1 },
  { damping: 0.05, statisticsEvery: 2, inversesEvery: 3, weightDecay: 0.05, momentum: 0.5 },
  { damping: 0.05, weightDecay: 0.05, decoupled: true, statisticsEvery: 2, inversesEvery: 2 },
  { form: 'eigen', damping: 0.05, statisticsEvery: 2, inversesEvery: 2, fisher: 'empirical' },
  { damping: 0.05, blockSize: 2, statisticsEvery: 1, inversesEvery: 1 },
  { form: 'eigen', damping: 0.05, blockSize: 2, inversesEvery: 2, fisher: 'empirical' },
];

const subjects = devices.flatMap((device) =>
  (Object.keys(MODELS) as Recurrent[]).map((recurrent) => ({ ...device, recurrent })),
);

describe.each(subjects)('kfac over tokens on $title', ({ device, missing, recurrent }) => {
  describe.skipIf(missing !== null)(`in a tagger of ${recurrent}`, () => {
    it.each(VARIANTS)('follows its equations for 20 steps: %o', async (variant) => {
      const training = start(device, recurrent, { lr: 0.05, ...variant });
      const reference = paramsOf(training);
      const { step, tolerance } = kfacOracle(variant);
      const losses: number[] = [];
      for (let t = 1; t <= 20; t++) {
        const { loss, ...batch } = batchOf(reference, t, variant.fisher !== 'empirical');
        losses.push(loss);
        step(reference, batch, 0.05, t);
        const done = await training.epoch();
        expect(Math.abs((done?.loss ?? NaN) - loss)).toBeLessThan(10 * tolerance() + 1e-6);
      }
      expect(tolerance()).toBeLessThan(1e-3);
      expect(losses[19]).toBeLessThan(losses[0]);
      for (const [name, { data }] of Object.entries(paramsOf(training))) {
        data.forEach((x, i) => {
          const error = Math.abs(x - reference[name].data[i]);
          expect(error, `${name}[${i}]`).toBeLessThanOrEqual(tolerance() + 1e-6);
        });
      }
    });

    it('has tokens that count as samples, steps as independent ones', async () => {
      const training = start(device, recurrent, { lr: 0.01, fisher: 'empirical' });
      const reference = paramsOf(training);
      const { data } = batchOf(reference, 1, false);
      await training.epoch();
      const close = (key: string, want: Rows) => {
        const got = training.store.read(stateKey(key));
        const isDiagonal = got.length === want.length;
        const flat = want.flatMap((row, i) => (isDiagonal ? [row[i]] : row.slice(0, i + 1)));
        expect(got.length).toBe(flat.length);
        flat.forEach((x, i) => {
          expect(Math.abs(got[i] - x), `${key}[${i}]`).toBeLessThan(1e-6);
        });
      };
      layersOf(reference).forEach((name, i) => {
        const want = factors(data.map((token) => token[i]));
        close(`a/${NAMES[name]}`, want.a);
        close(`g/${NAMES[name]}`, want.g);
      });
    });

    it('steps by the quadratic model, through the derivatives of the recurrence', async () => {
      const variant = { damping: 0.5, weightDecay: 0.1, statisticsEvery: 1, inversesEvery: 1 };
      const training = start(device, recurrent, { lr: 'model', fisher: 'empirical', ...variant });
      const reference = paramsOf(training);
      const { step } = kfacOracle(variant);
      for (let t = 1; t <= 4; t++) {
        const { rows } = tokensOf(sentences(), t - 1);
        const here = structuredClone(reference);
        const { probabilities } = tagger(here, rows);
        // The change of log p along a direction, by central differences.
        const slopes = (direction: readonly Rows[]) => {
          const moved = (h: number) => {
            const params = structuredClone(here);
            layersOf(params).forEach((name, layer) => {
              const bias = params[`${name}.bias`];
              const width = direction[layer][0].length - (bias === undefined ? 0 : 1);
              direction[layer].forEach((row, o) => {
                row.forEach((d, i) => {
                  if (i < width) params[`${name}.weight`].data[o * width + i] += h * d;
                  else bias.data[o] += h * d;
                });
              });
            });
            return tagger(params, rows).probabilities.map((p) => p.map(Math.log));
          };
          const h = 1e-5;
          const [above, below] = [moved(h), moved(-h)];
          return above.map((row, k) => row.map((x, c) => (x - below[k][c]) / (2 * h)));
        };
        // Of log p the mean under p is 0, so F is the mean of their products.
        const curvature = (a: readonly Rows[], b: readonly Rows[]) => {
          const [ja, jb] = [slopes(a), slopes(b)];
          const sums = probabilities.map((p, k) =>
            p.reduce((s, v, c) => s + v * ja[k][c] * jb[k][c], 0),
          );
          return sums.reduce((s, x) => s + x, 0) / probabilities.length;
        };
        step(reference, { ...batchOf(here, t, false), curvature }, 0, t);
        await training.epoch();
      }
      for (const [name, { data }] of Object.entries(paramsOf(training))) {
        data.forEach((x, i) => {
          expect(Math.abs(x - reference[name].data[i]), `${name}[${i}]`).toBeLessThan(2e-5);
        });
      }
    });
  });
});
