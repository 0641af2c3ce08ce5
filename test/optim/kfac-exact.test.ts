/** K-FAC's exact Fisher where rows interact: the expectation over all labels of all rows, in doubles. */
import { describe, expect, it } from 'vitest';
import {
  type AnyDataset,
  batchNorm,
  crossEntropy,
  type Dataset,
  embedding,
  groups,
  kfac,
  type Layer,
  type Loss,
  linear,
  lstm,
  type Optimizer,
  sequential,
  sgd,
  squaredError,
  tanh,
  tokenCrossEntropy,
} from '../../src/index.ts';
import { permutation, STREAM, uniforms } from '../../src/random/philox.ts';
import { stateKey } from '../../src/step/trace.ts';
import { TrainedModel } from '../../src/train/model.ts';
import { Training } from '../../src/train/training.ts';
import { unpacked } from '../conformance/data.ts';
import { devices } from './devices.ts';
import { expectClose } from './kfac-state.ts';
import { factors } from './oracles/kfac.ts';
import { combine, type Rows, zeros } from './oracles/matrix.ts';
import type { Tensors64 } from './oracles/oracle.ts';
import { tagger } from './oracles/tagger.ts';

const [VOCABULARY, DIM, HIDDEN, STEPS, SEED] = [4, 2, 2, 4, 5];
const LENGTHS = [3, 2, 1];

const drawn = (n: number, seed: number): Float32Array =>
  uniforms({ seed, stream: 0, step: 0 }, n).map((u) => 2 * u - 1);

/** What K-FAC's first step on all of the data keeps of each weight, and the parameters before it. */
async function firstStep(
  model: Layer,
  train: AnyDataset,
  loss: Loss,
  device: 'js' | 'cpu',
  optimizer: Optimizer = kfac({ lr: 0, fisher: 'exact' }),
) {
  const training = new Training(
    model,
    { train },
    { optimizer, loss, batch: 64, seed: SEED, device },
  );
  const params = Object.fromEntries(
    Object.entries(new TrainedModel(training).parameters()).map(([name, { data, shape }]) => [
      name,
      { data: Float64Array.from(data), shape },
    ]),
  );
  await training.epoch();
  const g = (name: string): Rows => {
    const whole = Array.from(unpacked(training.store.read(stateKey(`g/${name}`))));
    const n = Math.sqrt(whole.length);
    return Array.from({ length: n }, (_, r) => whole.slice(r * n, (r + 1) * n));
  };
  return { params, g };
}

/** Every way to label `n` rows with two classes. */
const labellings = (n: number): number[][] =>
  Array.from({ length: 2 ** n }, (_, bits) => Array.from({ length: n }, (_, i) => (bits >> i) & 1));

const chance = (probabilities: readonly number[][], labels: readonly number[]): number =>
  labels.reduce((p, label, row) => p * probabilities[row][label], 1);

function sentences(): Dataset {
  const words = uniforms({ seed: 3, stream: 0, step: 0 }, LENGTHS.length * STEPS);
  const tokens = Int32Array.from(words, (u, at) =>
    at % STEPS < LENGTHS[Math.floor(at / STEPS)] ? Math.floor(u * VOCABULARY) : -1,
  );
  return {
    name: 'sentences',
    synthetic: true,
    inputs: { data: tokens, shape: [STEPS] },
    labels: tokens.map((token) => Math.min(token, 1)),
    labelShape: [STEPS],
    classes: 2,
    count: LENGTHS.length,
  };
}

const transposed = ({ data, shape: [rows, columns] }: Tensors64[string]) => ({
  data: data.map((_, k) => data[(k % rows) * columns + Math.floor(k / rows)]),
  shape: [columns, rows],
});

/** Rows that batch norm mixes. */
const [ROWS, FEATURES, WIDTH, OUT, EPS] = [5, 3, 3, 2, 1e-5];
const inputs = drawn(ROWS * FEATURES, 8);
const mixing = (): Layer =>
  sequential({ first: linear(WIDTH), norm: batchNorm(), act: tanh(), last: linear(OUT) });

/** Outputs of `mixing` from what its first layer puts out, in doubles. */
function outputs(z: readonly number[][], params: Tensors64): number[][] {
  const normed = z.map((row) => [...row]);
  for (let c = 0; c < WIDTH; c++) {
    const mean = z.reduce((s, row) => s + row[c], 0) / ROWS;
    const variance = z.reduce((s, row) => s + (row[c] - mean) ** 2, 0) / ROWS;
    normed.forEach((row) => {
      const x = (row[c] - mean) / Math.sqrt(variance + EPS);
      row[c] = Math.tanh(x * params['norm.weight'].data[c] + params['norm.bias'].data[c]);
    });
  }
  return normed.map((row) => apply(row, params, 'last', OUT));
}

const apply = (x: readonly number[], params: Tensors64, layer: string, out: number): number[] =>
  Array.from({ length: out }, (_, o) =>
    x.reduce(
      (s, v, i) => s + v * params[`${layer}.weight`].data[o * x.length + i],
      params[`${layer}.bias`].data[o],
    ),
  );

/** ∂ outputs[n][o] / ∂ z[m][c] by central differences. */
function jacobian(z: readonly number[][], params: Tensors64): number[][][][] {
  const h = 1e-5;
  const moved = (m: number, c: number, by: number) =>
    outputs(
      z.map((row, r) => row.map((v, k) => (r === m && k === c ? v + by : v))),
      params,
    );
  const slopes = z.map((row, m) =>
    row.map((_, c) => {
      const [above, below] = [moved(m, c, h), moved(m, c, -h)];
      return above.map((y, n) => y.map((v, o) => (v - below[n][o]) / (2 * h)));
    }),
  );
  return Array.from({ length: ROWS }, (_, n) =>
    Array.from({ length: OUT }, (_, o) => slopes.map((row) => row.map((by) => by[n][o]))),
  );
}

const second = (rows: Rows): Rows =>
  rows.reduce(
    (sum, s) =>
      combine(
        sum,
        1,
        s.map((a) => s.map((b) => a * b)),
        1,
      ),
    zeros(rows[0].length),
  );

describe.each(devices)('the exact Fisher on $title', ({ device, missing }) => {
  describe.skipIf(missing !== null)('where rows interact', () => {
    it('is the expectation over all labels of steps in an LSTM', async () => {
      const model = sequential({
        words: embedding(VOCABULARY, DIM),
        lstm: lstm(HIDDEN),
        head: linear(2),
      });
      const data = sentences();
      const { params, g } = await firstStep(model, data, tokenCrossEntropy(), device);
      const order = permutation({ seed: SEED, stream: STREAM.shuffle, step: 0 }, data.count);
      const rows = [...order].map((r) => [
        ...data.inputs.data.subarray(r * STEPS, r * STEPS + LENGTHS[r]),
      ]);
      const { probabilities, backward } = tagger(
        {
          'table.weight': transposed(params['words.embedding']),
          'input.weight': params['lstm.weight_ih_l0'],
          'input.bias': params['lstm.bias_l0'],
          'recurrent.weight': params['lstm.weight_hh_l0'],
          'head.weight': params['head.weight'],
          'head.bias': params['head.bias'],
        },
        rows,
      );
      const names = ['words.embedding', 'lstm.weight_ih_l0', 'lstm.weight_hh_l0', 'head.weight'];
      names.forEach((name, layer) => {
        let want: Rows | undefined;
        for (const labels of labellings(probabilities.length)) {
          const shown = backward(labels).map((token) => token[layer]);
          const p = chance(probabilities, labels);
          const own = factors(shown).g;
          want = combine(want ?? zeros(own.length), 1, own, p);
        }
        expectClose(g(name), want as Rows, 2e-5, name);
      });
    });

    it.each(['classes', 'values'] as const)(
      'is it of examples in batch norm, of %s',
      async (kind) => {
        const examples = {
          synthetic: true,
          inputs: { data: inputs, shape: [FEATURES] },
          count: ROWS,
        };
        const classes = {
          ...examples,
          name: 'classes',
          labels: new Int32Array(ROWS),
          classes: OUT,
        };
        const targets = { data: drawn(ROWS * OUT, 9), shape: [OUT] };
        const values = { ...examples, name: 'values', targets };
        const { params, g } = await (kind === 'classes'
          ? firstStep(mixing(), classes, crossEntropy(), device)
          : firstStep(mixing(), values, squaredError(), device));
        const z = Array.from({ length: ROWS }, (_, n) =>
          apply([...inputs.subarray(n * FEATURES, (n + 1) * FEATURES)], params, 'first', WIDTH),
        );
        const j = jacobian(z, params);
        // s′ of row m: ROWS times the gradient of the mean, Σ over rows n of what its output's gradient is.
        const pulled = (dys: readonly (readonly number[])[]): Rows =>
          z.map((row, m) =>
            row.map((_, c) =>
              dys.reduce((s, dy, n) => s + dy.reduce((t, d, o) => t + d * j[n][o][m][c], 0), 0),
            ),
          );
        let want = zeros(WIDTH);
        if (kind === 'classes') {
          const probabilities = outputs(z, params).map((row) => {
            const e = row.map(Math.exp);
            return e.map((v) => v / e.reduce((a, b) => a + b));
          });
          for (const labels of labellings(ROWS)) {
            const dys = probabilities.map((p, n) => p.map((v, o) => v - (o === labels[n] ? 1 : 0)));
            want = combine(want, 1, second(pulled(dys)), chance(probabilities, labels) / ROWS);
          }
        } else {
          // Noise of variance 1 in each output of each row, independent of all others.
          for (let k = 0; k < ROWS * OUT; k++) {
            const dys = z.map((_, n) =>
              Array.from({ length: OUT }, (_, o) => Number(n * OUT + o === k)),
            );
            want = combine(want, 1, second(pulled(dys)), 1 / ROWS);
          }
        }
        expectClose(g('first.weight'), want, 2e-4, kind);
      },
    );
  });
});

describe('the exact Fisher', () => {
  const long = (count: number): Dataset => ({
    name: 'long',
    synthetic: true,
    inputs: { data: new Int32Array(count), shape: [count] },
    labels: new Int32Array(count),
    labelShape: [count],
    classes: 2,
    count: 1,
  });
  const tagging = () => sequential({ words: embedding(3, 2), lstm: lstm(2), head: linear(2) });

  it('refuses what takes too many passes, and says what to do', async () => {
    await expect(
      firstStep(tagging(), long(1100), tokenCrossEntropy(), 'js'),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: fisher 'exact' takes a backward pass for each output of each row where rows interact, as steps do in an LSTM and examples in batch norm: 1100 rows × 2 outputs are more than 2048. Help: use fisher: 'true', whose mean over draws it is, or fewer rows: smaller batches, shorter sequences.]`,
    );
  });

  it('asks nothing of layers that another method has', async () => {
    const optimizer = groups([
      { match: /head/, optimizer: kfac({ lr: 0, fisher: 'exact' }) },
      { optimizer: sgd({ lr: 0 }) },
    ]);
    const step = firstStep(tagging(), long(1100), tokenCrossEntropy(), 'js', optimizer);
    await expect(step).resolves.toBeDefined();
  });
});
