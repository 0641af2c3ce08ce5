/** Models that outlive their training: saved, loaded, asked for predictions and evaluations, trained on. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  accuracy,
  batchNorm,
  conv2d,
  crossEntropy,
  type Dataset,
  fit,
  flatten,
  globalAvgPool2d,
  type Layer,
  linear,
  loadModel,
  lstmTagger,
  type Metric,
  mlp,
  ops,
  relu,
  sequential,
  sgd,
  squaredError,
  standardise,
  syntheticDigits,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';
import { readSafetensors, writeSafetensors } from '../../src/train/safetensors.ts';
import { present } from '../optim/devices.ts';
import { circle, network } from './task.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-models-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const optimizer = sgd({ lr: 0.1 });
const images = syntheticDigits({ count: 30, seed: 1, split: 'train', size: 12 });
const convolutional = () =>
  sequential(conv2d(3, 3), batchNorm(), relu(), globalAvgPool2d(), linear(10));

const TOKENS = 5;
const sentences: Dataset = {
  name: 'sentences',
  synthetic: true,
  inputs: {
    data: Int32Array.from({ length: 8 * TOKENS }, (_, i) => (i % TOKENS > i / 10 ? -1 : i % 7)),
    shape: [TOKENS],
  },
  labels: Int32Array.from({ length: 8 * TOKENS }, (_, i) => (i % TOKENS > i / 10 ? -1 : i % 3)),
  labelShape: [TOKENS],
  classes: 3,
  count: 8,
};
const tagger = () => lstmTagger({ vocabulary: 7, tags: 3, embedding: 4, hidden: 5 });

describe.each(present)('on %s', (device) => {
  const pathOf = (name: string) => join(dir, `${device} ${name}`);
  const trainOn = (data: Dataset, layers = convolutional(), options = {}) =>
    fit(
      layers,
      { train: data, test: data },
      { optimizer, epochs: 2, batch: 10, device, ...options },
    );

  it('a loaded model takes the bytes it was trained on', async () => {
    const path = pathOf('digits');
    const { model, history } = await trainOn(images);
    model.save(path);
    const loaded = loadModel(convolutional(), path, { device });
    expect(loaded.stateDict()).toEqual(model.stateDict());
    const bytes = images.inputs.data as Uint8Array;
    const raw = loaded.predict(bytes);
    expect(raw).toEqual(model.predict(bytes));
    // What the network sees may be given too.
    const { scale, shift } = images.normalise as { scale: number[]; shift: number[] };
    const normalised = Float32Array.from(bytes, (x) => Math.fround(x * scale[0] + shift[0]));
    loaded.predict(normalised).data.forEach((y, i) => {
      expect(Math.abs(y - raw.data[i])).toBeLessThan(1e-5);
    });
    const evaluation = await loaded.evaluate(images);
    expect(evaluation).toEqual({
      loss: history[1].testLoss,
      metrics: { accuracy: history[1].testAccuracy },
    });
    const right = images.labels.filter((label, row) => {
      const logits = raw.data.subarray(10 * row, 10 * row + 10);
      return logits.indexOf(Math.max(...logits)) === label;
    });
    expect(evaluation.metrics.accuracy).toBeCloseTo(right.length / 30, 12);
    // A dataset that says nothing of normalisation has the training data's.
    const { normalise: _, ...plain } = images;
    expect(await loaded.evaluate(plain)).toEqual(evaluation);
    expect(await loaded.evaluate(images)).toEqual(evaluation);
  });

  it('numbers with a normalisation are normalised as in training', async () => {
    const points = { ...circle(30), normalise: { scale: [3, 0.5], shift: [1, -2] } };
    const { model, history } = await trainOn(points, network());
    const path = pathOf('points');
    model.save(path);
    const loaded = loadModel(network(), path, { device });
    const own = (await loaded.evaluate(points)).loss;
    expect(own).toBe(history[1].testLoss);
    const logits = loaded.predict(points.inputs.data as Float32Array).data;
    const losses = Array.from(points.labels, (label, i) => {
      const [a, b] = logits.subarray(2 * i, 2 * i + 2);
      return Math.log(Math.exp(a) + Math.exp(b)) - (label === 0 ? a : b);
    });
    expect(losses.reduce((sum, x) => sum + x, 0) / 30).toBeCloseTo(own, 5);
  });

  it('sentences may have any length, images any size', async () => {
    const loss = tokenCrossEntropy();
    const { model, history } = await trainOn(sentences, tagger(), { loss });
    const path = pathOf('tagger');
    model.save(path);
    const loaded = loadModel(tagger(), path, { device, loss });
    expect((await loaded.evaluate(sentences)).loss).toBe(history[1].testLoss);
    const row = [3, 1, 4, 1, 5, 2, 6, 5, 3, 5];
    const whole = loaded.predict({ data: Int32Array.from(row), shape: [1, 10] });
    expect(whole.shape).toEqual([1, 10, 3]);
    // An LSTM reads from the left: what follows changes nothing.
    const begin = loaded.predict({ data: Int32Array.from(row.slice(0, 4)), shape: [1, 4] });
    begin.data.forEach((y, i) => {
      expect(Math.abs(y - whole.data[i])).toBeLessThan(1e-6);
    });
    const padded = Int32Array.from([...row, ...row.slice(0, 4), -1, -1, -1, -1, -1, -1]);
    const both = await loaded.predictAsync({ data: padded, shape: [2, 10] });
    expect(both.shape).toEqual([2, 10, 3]);
    both.data.subarray(0, 42).forEach((y, i) => {
      expect(Math.abs(y - whole.data[i % 30])).toBeLessThan(1e-6);
    });
    const { model: other } = await trainOn(images);
    const large = other.predict({ data: new Uint8Array(2 * 20 * 31), shape: [2, 1, 20, 31] });
    expect(large.shape).toEqual([2, 10]);
  });

  it('evaluation cuts sentences by their lengths, and is compiled once', async () => {
    let traced = 0;
    const counted: Layer = (x, scope) => {
      traced += 1;
      return tagger()(x, scope);
    };
    const data = { ...sentences, lengths: [2, 4] };
    const loss = tokenCrossEntropy();
    const { model, history } = await trainOn(data, counted, { loss });
    const before = traced;
    const evaluation = await model.evaluate(data);
    expect(traced - before).toBe(1);
    expect(await model.evaluate(data)).toEqual(evaluation);
    expect(traced - before).toBe(1);
    expect(evaluation.loss).toBe(history[1].testLoss);
    expect(evaluation.metrics.accuracy).toBe(history[1].testAccuracy);
    const uncut = await model.evaluate(sentences);
    expect(Math.abs(uncut.loss - evaluation.loss)).toBeLessThan(1e-6);
    const right: Metric = { name: 'right', counts: () => [1], of: ([batches]) => batches };
    expect((await model.evaluate(data, { metrics: [right] })).metrics.right).toBe(1);
  });

  it('of more lengths than plans are kept, each has what it had', () => {
    const step = trainStep(tagger(), {
      ...{ optimizer, input: [3], inputType: 'i32', batch: 1, device },
      loss: tokenCrossEntropy(),
    });
    const of = (length: number) =>
      step.model.predict({ data: new Int32Array(length).fill(2), shape: [1, length] }).data;
    const first = Array.from({ length: 80 }, (_, i) => of(i + 1));
    first.forEach((y, i) => {
      expect(of(i + 1)).toEqual(y);
    });
  });

  it('fit goes on from saved weights', async () => {
    const path = pathOf('from');
    const { model } = await trainOn(images, convolutional(), { epochs: 1, seed: 3 });
    model.save(path);
    const still = { optimizer: sgd({ lr: 0 }), epochs: 0 };
    const [byPath, byState] = await Promise.all(
      [path, model.stateDict()].map((from) => trainOn(images, convolutional(), { ...still, from })),
    );
    expect(byPath.model.stateDict()).toEqual(model.stateDict());
    expect(byState.model.stateDict()).toEqual(model.stateDict());
    // Plain SGD has no state: two epochs are one and one more, but for the order of the rows.
    const more = await trainOn(images, convolutional(), { epochs: 1, from: path });
    expect(more.history[0].trainLoss).not.toBe(byPath.history[0]?.trainLoss);
    // A checkpoint that is resumed is not begun anew.
    const checkpoint = pathOf('from checkpoint');
    const run = (epochs: number, from: string) =>
      trainOn(images, convolutional(), { epochs, from, checkpoint, resume: true });
    await run(1, path);
    const two = await run(2, path);
    const whole = await trainOn(images, convolutional(), { epochs: 2, from: path });
    expect(two.model.stateDict()).toEqual(whole.model.stateDict());
  });

  it('numbers are predicted and judged', async () => {
    const inputs = { data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)), shape: [2] };
    const targets = { data: Float32Array.from({ length: 20 }, (_, i) => Math.cos(i)), shape: [1] };
    const data = { name: 'waves', synthetic: true, count: 20, inputs, targets };
    const layers = mlp({ hidden: 4, out: 1 });
    const loss = squaredError();
    const { model } = await fit(layers, { train: data }, { optimizer, loss, epochs: 1, device });
    const { data: y } = model.predict(inputs.data);
    const mean = y.reduce((sum, v, i) => sum + 0.5 * (v - targets.data[i]) ** 2, 0) / 20;
    const evaluation = await model.evaluate(data);
    expect(evaluation.metrics).toEqual({});
    expect(evaluation.loss).toBeCloseTo(mean, 6);
    const path = pathOf('waves');
    model.save(path);
    expect(await loadModel(layers, path, { device, loss }).evaluate(data)).toEqual(evaluation);
    const total: Metric = {
      name: 'total',
      sums: (output) => [ops.sum(output)],
      of: ([sum]) => sum,
    };
    const { metrics } = await model.evaluate(data, { metrics: [total] });
    const sum = y.reduce((a, b) => a + b, 0);
    expect(Math.abs(metrics.total - sum)).toBeLessThan(1e-5);
    await expect(model.evaluate(data, { metrics: [total, total] })).rejects.toThrow(
      'The names of metrics must be different',
    );
  });

  it('evaluation takes its turn, beside predictions and steps', async () => {
    const { model } = await trainOn(images);
    const bytes = images.inputs.data as Uint8Array;
    const [a, y, b] = await Promise.all([
      model.evaluate(images),
      model.predictAsync(bytes),
      model.evaluate(images, { metrics: [{ ...accuracy(), name: 'again' }] }),
    ]);
    expect(b.metrics.again).toBe(a.metrics.accuracy);
    expect(y).toEqual(model.predict(bytes));
    const busy = model.evaluate(images);
    expect(() => model.save(pathOf('busy'))).toThrow(
      expect.objectContaining({ code: 'FLATMIN_BUSY' }),
    );
    await busy;
  });
});

describe('a model’s file', () => {
  const saved = async (name: string, options = {}) => {
    const { model } = await fit(network(), { train: circle(20) }, { optimizer, epochs: 1 });
    const path = join(dir, name);
    model.save(path, options);
    return path;
  };

  it('has texts of one’s own', async () => {
    const path = await saved('texts', { metadata: { vocabulary: '["a","ü"]' } });
    const loaded = loadModel(network(), path, { device: 'js' });
    expect(loaded.metadata).toEqual({ vocabulary: '["a","ü"]' });
    loaded.save(join(dir, 'texts again'));
    expect(readFileSync(join(dir, 'texts again'))).toEqual(readFileSync(path));
    expect(() => loaded.save(path, { metadata: { 'flatmin.input': '' } })).toThrow(
      'metadata.flatmin.input: "format" and names that begin with "flatmin" are the file\'s own',
    );
    expect(() => loaded.save(path, { metadata: { n: 3 as never } })).toThrow(
      'metadata.n must be a string, got 3',
    );
    expect(() => loaded.save(path, { names: 'keras' as never })).toThrow(
      "names must be one of flatmin, pytorch, got 'keras'",
    );
    expect(() => loaded.save(undefined as never)).toThrow('The path of save must be a string');
  });

  it.each([
    ['{', 'its metadata "flatmin.input" is not JSON'],
    ['{"dtype":"f64","shape":[2]}', 'its metadata "flatmin.input" is no form of inputs, dtype'],
    ['{"dtype":"f32","shape":[-2]}', 'its metadata "flatmin.input" is no form of inputs, shape.0'],
  ])('that says %s of its inputs is refused', async (text, message) => {
    const path = await saved('nonsense');
    const { tensors, metadata } = readSafetensors(path);
    const { 'flatmin.checksum': _, ...rest } = metadata;
    const format = 'flatmin model 1';
    writeSafetensors(path, { tensors, metadata: { ...rest, format, 'flatmin.input': text } });
    expect(() => loadModel(network(), path)).toThrow(message);
  });

  it('that is damaged or not there is refused', async () => {
    const path = await saved('damaged');
    const bytes = readFileSync(path);
    bytes[bytes.length - 2] ^= 1;
    writeFileSync(path, bytes);
    expect(() => loadModel(network(), path)).toThrow(
      expect.objectContaining({ code: 'FLATMIN_DATA' }),
    );
    expect(() => loadModel(network(), join(dir, 'nothing'))).toThrow('Cannot read');
    await expect(
      fit(network(), { train: circle(20) }, { optimizer, epochs: 1, from: join(dir, 'nothing') }),
    ).rejects.toThrow('Cannot read');
  });

  it('options say what it does not', async () => {
    const path = await saved('options');
    const normalise = standardise([0.5], [0.25]);
    const options = { inputType: 'u8', normalise, device: 'js' } as const;
    const [plain, bytes] = [{ device: 'js' } as const, options].map((o) =>
      loadModel(network(), path, o),
    );
    const x = Float32Array.of(51, 204).map((v) => (v / 255 - 0.5) / 0.25);
    plain.predict(x).data.forEach((y, i) => {
      expect(Math.abs(y - bytes.predict(Uint8Array.of(51, 204)).data[i])).toBeLessThan(1e-5);
    });
    for (const [given, message] of [
      [{ input: [3] }, '"0.weight" has shape [8, 2], not [8, 3]'],
      [{ input: 3 }, 'The shape of input must be a list of whole numbers'],
      [{ inputType: 'f16' }, "inputType must be one of u8, f32, i32, got 'f16'"],
      [{ normalise: { scale: 2 } }, 'scale of normalise must be a list of numbers, got 2'],
      [{ loss: 3 }, 'loss must be a loss, got 3'],
      [{ inputs: [2] }, 'Unknown option "inputs"; did you mean "input"?'],
    ] as const) {
      expect(() => loadModel(network(), path, given as never)).toThrow(message);
    }
  });
});

it('says what predict and evaluate do not take', async () => {
  const { model } = await fit(
    sequential(flatten(), linear(10)),
    { train: images },
    { optimizer, epochs: 0, device: 'js' },
  );
  const of = (shape: number[], length = shape.reduce((a, b) => a * b, 1)) => ({
    data: new Uint8Array(length),
    shape,
  });
  for (const [inputs, message] of [
    [new Int32Array(144), 'must be a Uint8Array as the training data, or a Float32Array'],
    [new Uint8Array(145), 'predict expects rows of [1, 12, 12], 144 numbers each, got 145 numbers'],
    [{}, 'must be a Uint8Array as the training data, or a Float32Array'],
    [{ data: new Uint8Array(3) }, 'The shape of The inputs of predict must be a list of whole'],
    [of([1, 144]), 'in a shape of 4 dimensions, rows first, got [1, 144] for 144 numbers'],
    [of([1, 1, 12, 12], 7), 'rows first, got [1, 1, 12, 12] for 7 numbers'],
    [
      of([2, 1, 6, 6]),
      'The model does not take rows of [1, 6, 6]: "1.weight" would be [10, 36] and is [10, 144]',
    ],
  ] as const) {
    expect(() => model.predict(inputs as never)).toThrow(message);
  }
  for (const [dataset, options, message] of [
    [3, {}, 'evaluate data must be an object, got 3'],
    [{ ...images, count: 2 }, {}, 'evaluate data: 2 examples of [1, 12, 12] need 288 inputs'],
    [circle(0), {}, 'evaluate data: there are no examples'],
    [circle(3), {}, '"1.weight" would be [10, 2] and is [10, 144]'],
    [images, { loss: 3 }, 'loss must be a loss, got 3'],
    [images, { metrics: 3 }, 'metrics must be a list of metrics, got 3'],
    [images, { metric: [] }, 'Unknown option "metric"; did you mean "metrics"?'],
  ] as const) {
    await expect(model.evaluate(dataset as never, options as never)).rejects.toThrow(message);
  }
  const far = { ...circle(3), labels: Int32Array.of(0, 1, 10), classes: 11 };
  const wide = { ...far, inputs: { data: new Uint8Array(3 * 144), shape: [1, 12, 12] } };
  await expect(model.evaluate(wide, { loss: crossEntropy() })).rejects.toThrow(
    'circle data: label 10 of example 2 is outside 0 … 9',
  );
});
