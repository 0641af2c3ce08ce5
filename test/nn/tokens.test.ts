/** Embeddings, LSTMs and the loss of tokens: a tagger that learns, and padding that changes nothing. */
import { describe, expect, it } from 'vitest';
import {
  adam,
  crossEntropy,
  type Dataset,
  describeModel,
  embedding,
  type FitOptions,
  fit,
  type Layer,
  linear,
  lstm,
  muonWithAdamW,
  sequential,
  sgd,
  shampoo,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';
import { uniforms } from '../../src/random/philox.ts';
import { devices, present } from '../optim/devices.ts';

const [VOCABULARY, CLASSES, STEPS, COUNT] = [5, 2, 7, 40];
const lengthOf = (row: number): number => 1 + ((3 * row) % STEPS);

/** Label of a token: whether it is larger than the one before it, which an LSTM has to remember. */
function sentences(steps = STEPS): Dataset {
  const words = uniforms({ seed: 7, stream: 0, step: 0 }, COUNT * STEPS);
  const tokens = new Int32Array(COUNT * steps).fill(-1);
  const labels = new Int32Array(COUNT * steps).fill(-1);
  for (let row = 0; row < COUNT; row++) {
    for (let t = 0; t < lengthOf(row); t++) {
      tokens[row * steps + t] = Math.floor(words[row * STEPS + t] * VOCABULARY);
      const before = t === 0 ? -1 : tokens[row * steps + t - 1];
      labels[row * steps + t] = Number(tokens[row * steps + t] > before);
    }
  }
  return {
    name: 'sentences',
    synthetic: true,
    inputs: { data: tokens, shape: [steps] },
    labels,
    labelShape: [steps],
    classes: CLASSES,
    count: COUNT,
  };
}

const tagger = (): Layer =>
  sequential({ words: embedding(VOCABULARY, 6), lstm: lstm(8), head: linear(CLASSES) });

const train = (data: Dataset, options: Partial<FitOptions>) =>
  fit(
    tagger(),
    { train: data, test: data },
    {
      optimizer: adam({ lr: 0.02 }),
      loss: tokenCrossEntropy(),
      batch: 8,
      epochs: 2,
      seed: 3,
      ...options,
    },
  );

describe.each(devices)('a tagger on $title', ({ device, missing }) => {
  describe.skipIf(missing !== null)('with padding', () => {
    it('learns', async () => {
      const { history } = await train(sentences(), { device, epochs: 40 });
      expect(history[0].testAccuracy).toBeLessThan(0.9);
      expect(history.at(-1)?.testAccuracy).toBeGreaterThan(0.99);
    });

    it('counts tokens that are not padding, and those alone', async () => {
      const data = sentences();
      const { model, history } = await train(data, { device });
      const { data: logits } = model.predict(data.inputs.data as Int32Array);
      let [loss, correct, count] = [0, 0, 0];
      data.labels.forEach((label, at) => {
        if (label === -1) return;
        const [a, b] = [logits[2 * at], logits[2 * at + 1]];
        loss += Math.log(Math.exp(a) + Math.exp(b)) - (label === 0 ? a : b);
        correct += Number(label === (b > a ? 1 : 0));
        count += 1;
      });
      expect(history[1].testAccuracy).toBeCloseTo(correct / count, 10);
      expect(Math.abs((history[1].testLoss ?? NaN) - loss / count)).toBeLessThan(1e-6);
    });

    it('trains the same with more of it', async () => {
      const { model: short } = await train(sentences(), { device });
      const { model: long } = await train(sentences(STEPS + 4), { device });
      const others = long.parameters();
      for (const [name, { data }] of Object.entries(short.parameters())) {
        data.forEach((x, i) => {
          expect(Math.abs(x - others[name].data[i]), `${name}[${i}]`).toBeLessThan(1e-5);
        });
      }
    });

    it('takes a step on a batch of padding alone', () => {
      const step = trainStep(tagger(), {
        optimizer: sgd({ lr: 0.1 }),
        loss: tokenCrossEntropy(),
        input: [3],
        inputType: 'i32',
        batch: 2,
        device,
      });
      const before = step.model.parameters();
      expect(step(new Int32Array(6).fill(-1), new Int32Array(6).fill(-1))).toBe(0);
      expect(step.model.parameters()).toEqual(before);
    });

    it('refuses a token outside the vocabulary', async () => {
      const data = sentences();
      data.inputs.data[0] = VOCABULARY;
      await expect(train(data, { device })).rejects.toMatchObject({ code: 'FLATMIN_DATA' });
    });

    it('trains by Shampoo, whose blocks the table is cut into', async () => {
      const optimizer = shampoo({ lr: 0.05, blockSize: 3, graft: 'adam' });
      const { history } = await train(sentences(), { device, epochs: 40, optimizer });
      expect(history.at(-1)?.testAccuracy).toBeGreaterThan(0.95);
    });
  });
});

const alone = present.length < 2;

it.skipIf(alone)(
  `trains alike on every backend${alone ? ', skipped: there is one alone' : ''}`,
  async () => {
    const [js, cpu] = await Promise.all(
      (['js', 'cpu'] as const).map((device) => train(sentences(), { device })),
    );
    const others = cpu.model.parameters();
    for (const [name, { data }] of Object.entries(js.model.parameters())) {
      data.forEach((x, i) => {
        expect(Math.abs(x - others[name].data[i]), `${name}[${i}]`).toBeLessThan(1e-4);
      });
    }
  },
);

describe('layers of sequences', () => {
  it('name their tensors', () => {
    const { params, output } = describeModel(tagger(), { dtype: 'i32', shape: [4, STEPS] });
    expect(params.map(({ name, shape }) => [name, ...shape])).toEqual([
      ['words.embedding', 5, 6],
      ['lstm.weight_ih_l0', 32, 6],
      ['lstm.weight_hh_l0', 32, 8],
      ['lstm.bias_l0', 32],
      ['head.weight', 2, 8],
      ['head.bias', 2],
    ]);
    expect(output).toEqual({ dtype: 'f32', shape: [4, STEPS, CLASSES] });
  });

  it('leave the table to AdamW beside Muon, whatever the layer is called', () => {
    const optimizer = muonWithAdamW({ muon: { lr: 0.02 }, adamw: { lr: 0.01 } });
    const step = trainStep(sequential(embedding(4, 3), lstm(2), linear(2)), {
      optimizer,
      input: [3],
      inputType: 'i32',
      batch: 1,
      loss: tokenCrossEntropy(),
      device: 'js',
    });
    step(Int32Array.of(0, 1, 2), Int32Array.of(0, 1, 1));
    const keys = Object.keys(step.stateDict()).filter((key) => key.includes('0.embedding'));
    // AdamW keeps two moments, Muon one momentum.
    expect(keys.filter((key) => key.includes('state/'))).toHaveLength(2);
  });

  it.each([
    [() => embedding(0, 3), 'embedding expects the vocabulary to be a whole number of at least 1'],
    [() => embedding(3, 1.5), 'embedding expects dim to be a whole number of at least 1'],
    [() => lstm(-1), 'hidden of lstm must be a whole number of at least 1'],
  ])('refuse sizes that are none: %#', (make, message) => {
    expect(make).toThrow(message);
  });

  it('refuse inputs of another kind, by name', () => {
    const numbers = { dtype: 'f32' as const, shape: [4, STEPS] };
    expect(() => describeModel(tagger(), numbers)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Layer "words: embedding(5, 6)": embedding expects tokens i32, got f32[4, 7]]`,
    );
    expect(() => describeModel(sequential(lstm(3)), numbers)).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: Layer "0: lstm(3)": lstm expects gates of [batch, steps, …] f32[·, ·, 12], got f32[4, 12]]`,
    );
  });

  it('refuse padding that the loss does not know', async () => {
    const error = await train(sentences(), { device: 'js', loss: crossEntropy() }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchInlineSnapshot(
      `[FlatminError: train data: label -1 of example 0 is outside 0 … 1]`,
    );
  });

  it('refuse tokens as another kind of array', () => {
    const options = {
      optimizer: sgd({ lr: 0.1 }),
      loss: tokenCrossEntropy(),
      input: [3],
      batch: 1,
      device: 'js' as const,
    };
    const step = trainStep(tagger(), { ...options, inputType: 'i32' });
    expect(() =>
      step(Float32Array.of(0, 1, 2), Int32Array.of(0, 1, 1)),
    ).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The inputs of a step must be an Int32Array, got Float32Array(3) [ 0, 1, 2 ]]`,
    );
    expect(() => step.model.predict(Float32Array.of(0, 1, 2))).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The inputs of predict must be tokens in an Int32Array, got Float32Array(3) [ 0, 1, 2 ]]`,
    );
    expect(() =>
      trainStep(tagger(), { ...options, inputType: 'u8' as 'i32' }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: inputType must be one of f32, i32, got 'u8']`,
    );
  });
});
