/** Networks that PyTorch saved, by `test/fixtures/pytorch/make.py`: loaded by name, run, trained for a step, saved again. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  crossEntropy,
  embedding,
  gpt,
  type Layer,
  type Loss,
  lenet5,
  linear,
  loadModel,
  lstm,
  lstmTagger,
  mlp,
  resnet18,
  rnn,
  type StateDict,
  sequential,
  sgd,
  squaredError,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';
import { readSafetensors } from '../../src/train/safetensors.ts';
import { present } from '../optim/devices.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/pytorch');
const fixture = (name: string) => join(FIXTURES, `${name}.safetensors`);
const caseOf = (name: string) => readSafetensors(fixture(`${name}.case`)).tensors;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-pytorch-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const SMALL_GPT = { vocabulary: 11, context: 8, layers: 2, heads: 2, width: 8 };

type Case = readonly [name: string, layers: Layer, loss: Loss];
const TWO_WAY = { layers: 2, bidirectional: true };
const TRAINED: readonly Case[] = [
  ['resnet18', resnet18({ width: 2, classes: 5 }), crossEntropy()],
  ['mlp', mlp({ hidden: [9, 5], out: 3, activation: 'tanh' }), squaredError()],
  ['gpt', gpt(SMALL_GPT), tokenCrossEntropy()],
  ['tagger', lstmTagger({ vocabulary: 11, tags: 4, embedding: 5, hidden: 6 }), tokenCrossEntropy()],
  ...(
    [
      ['rnn-tanh', rnn(6)],
      ['rnn-relu', rnn(7, { activation: 'relu', ...TWO_WAY })],
      ['lstm-projected', lstm(6, { projection: 3 })],
      ['lstm-two-way', lstm(6, TWO_WAY)],
      ['lstm-all', lstm(6, { projection: 4, ...TWO_WAY })],
      ['rnn-last', rnn(6, { output: 'last' })],
      ['lstm-last', lstm(6, { projection: 4, output: 'last', ...TWO_WAY })],
    ] as const
  ).map(([name, layer]): Case => {
    const layers = { embedding: embedding(11, 5), [name.split('-')[0]]: layer, fc: linear(4) };
    return [name, sequential(layers), name.endsWith('last') ? crossEntropy() : tokenCrossEntropy()];
  }),
];
const CASES: readonly Case[] = [...TRAINED, ['lenet5', lenet5(), crossEntropy()]];

function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>, what = ''): void {
  expect(actual).toHaveLength(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    expect(error, `${what}[${i}]`).toBeLessThan(1e-5 * Math.max(1, Math.abs(expected[i])));
  }
}

/** Name, dtype and shape of every tensor, by the bytes of the file's header. */
function headerOf(path: string): Record<string, { dtype: string; shape: number[] }> {
  const bytes = readFileSync(path);
  const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE()));
  const { __metadata__, ...tensors } = JSON.parse(header.toString('utf8'));
  return Object.fromEntries(
    Object.entries(tensors as Record<string, { dtype: string; shape: number[] }>).map(
      ([name, { dtype, shape }]) => [name, { dtype, shape }],
    ),
  );
}

const withoutCounters = <T>(tensors: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(tensors).filter(([name]) => !name.endsWith('num_batches_tracked')),
  );

describe.each(present)('on %s', (device) => {
  const load = (name: string, layers: Layer, path = fixture(name)) => {
    const { inputs } = caseOf(name);
    const inputType = inputs.dtype === 'i32' ? 'i32' : 'f32';
    return loadModel(layers, path, { input: inputs.shape.slice(1), inputType, device });
  };

  it.each(CASES)('%s has PyTorch’s outputs', async (name, layers) => {
    const { inputs, outputs } = caseOf(name);
    const model = load(name, layers);
    const y = model.predict(inputs.data as Float32Array);
    expect(y.shape).toEqual(outputs.shape);
    expectNear(y.data, outputs.data);
    expect(await model.predictAsync(inputs.data as Float32Array)).toEqual(y);
  });

  it.each(TRAINED)('%s has PyTorch’s loss, gradients and statistics', (name, layers, loss) => {
    const { inputs, targets, loss: value, ...rest } = caseOf(name);
    const step = trainStep(layers, {
      optimizer: sgd({ lr: 1 }),
      batch: inputs.shape[0],
      input: inputs.shape.slice(1),
      inputType: inputs.dtype === 'i32' ? 'i32' : 'f32',
      loss,
      device,
    });
    const { model } = step;
    model.loadStateDict(load(name, layers).stateDict());
    const before = model.stateDict();
    expectNear([step(inputs.data as Float32Array, targets.data as Int32Array)], value.data);
    const after = model.stateDict();
    const gradients: StateDict = Object.fromEntries(
      Object.entries(rest)
        .filter(([key]) => key.startsWith('gradient/'))
        .map(([key, tensor]) => [key.slice('gradient/'.length), tensor]),
    );
    for (const [key, { data }] of Object.entries(model.parameters())) {
      // Both biases of an LSTM have the gradient of their sum.
      const names = [key, key.replace('bias_l', 'bias_ih_l'), key.replace(/embedding$/, 'weight')];
      const expected = names.map((own) => gradients[own]).find((g) => g !== undefined);
      const moved = data.map((x, i) => before[key].data[i] - x);
      expectNear(moved, expected?.data as Float32Array, key);
    }
    const statistics = Object.entries(rest).filter(([key]) => key.startsWith('after/'));
    expect(statistics).toHaveLength(name === 'resnet18' ? 40 : 0);
    for (const [key, { data }] of statistics) {
      expectNear(after[key.slice('after/'.length)].data, data, key);
    }
  });

  it.each(CASES)('%s is saved as PyTorch would, and loaded again', (name, layers) => {
    const { inputs } = caseOf(name);
    const model = load(name, layers);
    const outputs = model.predict(inputs.data as Float32Array);
    const paths = (['flatmin', 'pytorch'] as const).map((names) => {
      const path = join(dir, `${device} ${name} ${names}`);
      model.save(path, { names });
      const again = loadModel(layers, path, { device });
      expect(again.stateDict()).toEqual(model.stateDict());
      expect(again.predict(inputs.data as Float32Array)).toEqual(outputs);
      return path;
    });
    expect(headerOf(paths[1])).toEqual(withoutCounters(headerOf(fixture(name))));
    const theirs = readSafetensors(fixture(name), (key) => key.endsWith('tracked')).tensors;
    const ours = readSafetensors(paths[1]).tensors;
    for (const [key, { data }] of Object.entries(theirs)) {
      if (!key.includes('.bias_')) expect(ours[key].data, key).toEqual(data);
    }
    if (name !== 'tagger') return;
    const [ih, hh] = ['lstm.bias_ih_l0', 'lstm.bias_hh_l0'];
    const sum = Float32Array.from(theirs[ih].data, (x, i) => x + theirs[hh].data[i]);
    expect(ours[ih].data).toEqual(sum);
    expect(ours[hh].data).toEqual(new Float32Array(24));
  });
});

it('GPT-2 loads as it is published: under a prefix, with its head and masks, linear weights transposed', () => {
  const { inputs, outputs } = caseOf('gpt');
  const own = readSafetensors(fixture('gpt')).tensors;
  const published = Object.entries(own).map(([name, tensor]) => {
    const [rows, columns] = tensor.shape;
    if (!/c_(attn|proj|fc)\.weight$/.test(name)) return [`transformer.${name}`, tensor];
    const data = Float32Array.from(tensor.data, (_, i) => {
      return tensor.data[(i % rows) * columns + Math.floor(i / rows)];
    });
    return [`transformer.${name}`, { ...tensor, data, shape: [columns, rows] }];
  });
  const mask = { dtype: 'f32', shape: [1], data: new Float32Array(1) } as const;
  const model = loadModel(gpt(SMALL_GPT), fixture('gpt'), { input: [6], inputType: 'i32' });
  const zeros = Object.entries(model.stateDict()).map(([name, tensor]) => {
    return [name, { ...tensor, data: new Float32Array(tensor.data.length) }];
  });
  model.loadStateDict(Object.fromEntries(zeros));
  model.loadStateDict({
    ...Object.fromEntries(published),
    'transformer.h.0.attn.bias': mask,
    'transformer.h.0.attn.masked_bias': mask,
    'lm_head.weight': own['wte.weight'],
  });
  expectNear(model.predict(inputs.data as Int32Array).data, outputs.data);
});

it('a file that does not fit is named, with all that does not', () => {
  const load = () => loadModel(mlp({ hidden: [9, 4], out: 3 }), fixture('lenet5'), { input: [7] });
  expect(load).toThrow(expect.objectContaining({ code: 'FLATMIN_CHECKPOINT' }));
  let message = '';
  try {
    load();
  } catch (error) {
    message = (error as Error).message.replace(FIXTURES, '');
  }
  expect(message).toMatchInlineSnapshot(
    `"/lenet5.safetensors: The state does not fit: "fc3.weight" is missing; "fc3.bias" is missing; "conv1.weight" is unexpected; "conv1.bias" is unexpected; "conv2.weight" is unexpected; "conv2.bias" is unexpected; "conv3.weight" is unexpected; "conv3.bias" is unexpected; "fc1.weight" has shape [84, 120], not [9, 7]; "fc1.bias" has shape [84], not [9]; "fc2.weight" has shape [10, 84], not [4, 9]; "fc2.bias" has shape [10], not [4]"`,
  );
  expect(() => loadModel(lenet5(), fixture('lenet5'))).toThrow(
    "does not say what the model's inputs are. Help: tell the shape of one example",
  );
});
