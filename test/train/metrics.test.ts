/** Metrics that evaluation tells: the loss's own and the caller's, from sums over batches of any size. */
import { describe, expect, it } from 'vitest';
import {
  accuracy,
  crossEntropy,
  fit,
  type Loss,
  type Metric,
  ops,
  sgd,
  squaredError,
  type Value,
} from '../../src/index.ts';
import { present } from '../optim/devices.ts';
import { circle, network } from './task.ts';

const perplexity: Metric = {
  name: 'perplexity',
  sums: (output, labels) => {
    const rows = ops.fill(output.graph, [], labels.size);
    return [ops.mul(ops.crossEntropy(output, labels), rows), rows];
  },
  of: ([loss, rows]) => Math.exp(loss / rows),
};

/** F1 of the second class of two, by what was predicted and what is so: tp = (correct + predicted + actual − all)/2. */
const f1: Metric = {
  name: 'f1',
  sums: (output, labels) => {
    const always = ops.normalise(ops.affine(output, 0), { scale: [1, 1], shift: [0, 1] });
    const lead = ops.sum(ops.normalise(output, { scale: [-1, 1], shift: [0, 0] }), [1]);
    return [
      ops.countCorrect(output, labels),
      ops.sum(ops.sign(ops.relu(lead))),
      ops.countCorrect(always, labels),
      ops.fill(output.graph, [], labels.size),
    ];
  },
  of: ([correct, predicted, actual, all]) =>
    (correct + predicted + actual - all) / (predicted + actual),
};

const options = { optimizer: sgd({ lr: 0.5 }), epochs: 2, batch: 10, seed: 1 };

describe.each(present)('metrics on %s', (device) => {
  it('are of all rows, in batches of two sizes', async () => {
    const data = { train: circle(300), test: circle(1030) };
    const { model, history } = await fit(network(), data, {
      ...options,
      epochs: 30,
      device,
      metrics: [perplexity, f1],
    });
    const { testLoss = NaN, testAccuracy, metrics } = history[29];
    expect(Object.keys(metrics ?? {})).toEqual(['accuracy', 'perplexity', 'f1']);
    expect(metrics?.accuracy).toBe(testAccuracy);
    expect(metrics?.perplexity).toBeCloseTo(Math.exp(testLoss), 5);
    const { data: logits } = model.predict(data.test.inputs.data as Float32Array);
    const count = { tp: 0, predicted: 0, actual: 0 };
    data.test.labels.forEach((label, i) => {
      const predicted = logits[2 * i + 1] > logits[2 * i];
      count.predicted += Number(predicted);
      count.actual += label;
      count.tp += Number(predicted && label === 1);
    });
    expect(count.tp).toBeGreaterThan(0);
    expect(metrics?.f1).toBe((2 * count.tp) / (count.predicted + count.actual));
  });

  it('count rows of weight 0 neither as right nor at all', async () => {
    const data = { train: circle(60), test: circle(40) };
    const ofClass = ({ graph }: Value) =>
      ops.normalise(ops.fill(graph, [1, 2], 0), { scale: [1, 1], shift: [1, 0] });
    const loss: Loss = {
      ...crossEntropy(),
      weights: (labels) => {
        const table = ops.reshape(ofClass(labels), [2, 1]);
        return ops.reshape(ops.gather(table, labels), labels.shape);
      },
    };
    const { model, history } = await fit(network(), data, { ...options, device, loss });
    const { data: logits } = model.predict(data.test.inputs.data as Float32Array);
    const counted = [...data.test.labels].flatMap((label, i) => (label === 0 ? [i] : []));
    const right = counted.filter((i) => logits[2 * i] >= logits[2 * i + 1]).length;
    expect(history[1].testAccuracy).toBe(right / counted.length);
  });

  it('leave the training as it is without them', async () => {
    const data = { train: circle(60), test: circle(20) };
    const bare = await fit(network(), data, { ...options, device });
    const told = await fit(network(), data, { ...options, device, metrics: [f1] });
    const losses = [bare, told].map(({ history }) => history.map((e) => [e.trainLoss, e.testLoss]));
    expect(losses[1]).toEqual(losses[0]);
  });
});

describe('metrics', () => {
  const data = { train: circle(20), test: circle(20) };

  it('of a loss take the place of accuracy', async () => {
    const loss = { ...crossEntropy(), metrics: [perplexity] };
    const { history } = await fit(network(), data, { ...options, loss, epochs: 1 });
    expect(history[0].testAccuracy).toBeUndefined();
    expect(Object.keys(history[0].metrics ?? {})).toEqual(['perplexity']);
  });

  it('there are none of numbers to predict, nor without test data', async () => {
    const targets = { data: new Float32Array(40), shape: [2] };
    const { labels: _, classes: __, ...rest } = circle(20);
    const numbers = { ...rest, targets };
    const values = { ...options, loss: squaredError(), epochs: 1 };
    const { history } = await fit(network(), { train: numbers, test: numbers }, values);
    expect(history[0].metrics).toEqual({});
    const { history: bare } = await fit(network(), { train: circle(20) }, options);
    expect(bare[0].metrics).toBeUndefined();
  });

  it('must be metrics of different names', async () => {
    const fitted = (metrics: unknown) =>
      fit(network(), data, { ...options, metrics: metrics as Metric[] });
    await expect(fitted([accuracy()])).rejects.toThrow(
      "The names of metrics must be different, got 'accuracy'. Help: the loss brings its own, as accuracy.",
    );
    await expect(fitted([{ name: 'f1' }])).rejects.toThrow(
      'A metric must be an object of name, sums or counts, and of',
    );
    await expect(fitted(f1)).rejects.toThrow('metrics must be a list of metrics');
  });
});
