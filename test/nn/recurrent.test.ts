/** Recurrent layers as users make them: tensors, shapes, padding, dropout between layers, what they refuse. */
import { describe, expect, it } from 'vitest';
import {
  adam,
  crossEntropy,
  describeModel,
  embedding,
  fit,
  type Layer,
  linear,
  lstm,
  rnn,
  sequential,
  sgd,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';
import { devices } from '../optim/devices.ts';

const tokens = (steps: number) => ({ dtype: 'i32' as const, shape: [3, steps] });
const described = (layer: Layer) =>
  describeModel(sequential({ words: embedding(9, 5), layer }), tokens(4));
const namesOf = (layer: Layer) =>
  described(layer)
    .params.slice(1)
    .map(({ name, shape }) => `${name} ${shape.join('×')}`);

describe('tensors', () => {
  it('of a plain network', () => {
    expect(namesOf(rnn(6))).toEqual([
      'layer.weight_ih_l0 6×5',
      'layer.weight_hh_l0 6×6',
      'layer.bias_l0 6',
    ]);
  });

  it('of two projected layers in both directions', () => {
    const layer = lstm(6, { layers: 2, bidirectional: true, projection: 4, dropout: 0.5 });
    const names = (suffix: string, inputs: number) => [
      `layer.weight_ih_${suffix} 24×${inputs}`,
      `layer.weight_hh_${suffix} 24×4`,
      `layer.bias_${suffix} 24`,
      `layer.weight_hr_${suffix} 4×6`,
    ];
    expect(namesOf(layer)).toEqual([
      ...names('l0', 5),
      ...names('l0_reverse', 5),
      ...names('l1', 8),
      ...names('l1_reverse', 8),
    ]);
    expect(described(layer).output.shape).toEqual([3, 4, 8]);
  });

  it.each([
    ['the last of one direction', rnn(6, { output: 'last' }), [3, 6]],
    ['the last of both', lstm(6, { output: 'last', bidirectional: true }), [3, 12]],
    ['a projection', lstm(6, { projection: 9 }), [3, 4, 9]],
  ])('%s as the output', (_, layer, shape) => {
    expect(described(layer).output.shape).toEqual(shape);
  });
});

const LENGTHS = [4, 1, 3, 2];
/** Rows of tokens, padded to so many steps, of which the second token is the class. */
function sentences(steps: number) {
  const data = Int32Array.from({ length: 4 * steps }, (_, i) => {
    const [row, t] = [Math.floor(i / steps), i % steps];
    return t < LENGTHS[row] ? (7 * row + 3 * t) % 9 : -1;
  });
  return {
    name: 'sentences',
    synthetic: true,
    inputs: { data, shape: [steps] },
    labels: Int32Array.of(0, 1, 1, 0),
    classes: 2,
    count: 4,
  };
}

const KINDS: readonly (readonly [string, () => Layer])[] = [
  ['rnn', () => rnn(6, { layers: 2, bidirectional: true, output: 'last' })],
  ['relu', () => rnn(6, { activation: 'relu', output: 'last' })],
  ['lstm', () => lstm(6, { projection: 4, layers: 2, bidirectional: true, output: 'last' })],
];

describe.each(devices)('on $title', ({ device, missing }) => {
  describe.skipIf(missing !== null)('rows of unequal lengths', () => {
    it.each(KINDS)('are classified by their ends: %s', async (_, make) => {
      const train = async (steps: number) => {
        const model = sequential(embedding(9, 5), make(), linear(2));
        const { model: trained, history } = await fit(
          model,
          { train: sentences(steps) },
          { optimizer: adam({ lr: 0.03 }), batch: 4, epochs: 60, seed: 2, device },
        );
        return { parameters: trained.parameters(), last: history.at(-1)?.trainLoss as number };
      };
      const [short, long] = [await train(4), await train(9)];
      expect(short.last).toBeLessThan(0.2);
      for (const [name, { data }] of Object.entries(short.parameters)) {
        data.forEach((x, i) => {
          expect(Math.abs(x - long.parameters[name].data[i]), name).toBeLessThan(1e-6);
        });
      }
    });

    it('are whole without tokens', () => {
      const step = trainStep(sequential(rnn(3, { output: 'last' }), linear(2)), {
        optimizer: sgd({ lr: 0.1 }),
        input: [2, 2],
        batch: 1,
        loss: crossEntropy(),
        device,
      });
      const { model } = step;
      const read = (...x: number[]) => [...model.predict(Float32Array.from(x)).data];
      expect(read(1, 2, 3, 4)).not.toEqual(read(1, 2, 3, 5));
      expect(read(1, 2, 3, 4)).not.toEqual(read(0, 2, 3, 4));
    });
  });

  describe.skipIf(missing !== null)('dropout', () => {
    const make = (layers: number, dropout: number) =>
      trainStep(sequential(embedding(9, 5), lstm(6, { layers, dropout }), linear(2)), {
        optimizer: sgd({ lr: 0 }),
        input: [4],
        inputType: 'i32',
        batch: 4,
        loss: tokenCrossEntropy(),
        seed: 5,
        device,
      });
    const inputs = sentences(4).inputs.data;
    const labels = inputs.map((token) => (token === -1 ? -1 : token % 2));

    it('is between layers alone', () => {
      const [none, one] = [make(1, 0), make(1, 0.5)];
      expect(one(inputs, labels)).toBe(none(inputs, labels));
    });

    it('draws anew in every step, and not in predictions', () => {
      const [none, some] = [make(2, 0), make(2, 0.5)];
      const losses = [some(inputs, labels), some(inputs, labels), none(inputs, labels)];
      expect(new Set(losses).size).toBe(3);
      expect(some.model.predict(inputs)).toEqual(none.model.predict(inputs));
    });
  });
});

describe('what is refused', () => {
  const bad = (options: object) => () => lstm(2, options);

  it.each([
    [() => rnn(0), 'hidden of rnn must be a whole number of at least 1, got 0'],
    [bad({ layers: 1.5 }), 'layers of lstm must be a whole number of at least 1, got 1.5'],
    [bad({ bidirectional: 1 }), 'bidirectional of lstm must be true or false, got 1'],
    [bad({ projection: 0 }), 'projection of lstm must be a whole number of at least 1, got 0'],
    [bad({ dropout: 1 }), 'dropout expects 0 ≤ p < 1, got 1'],
    [bad({ output: 'mean' }), "output of lstm must be one of steps, last, got 'mean'"],
    [bad({ activation: 'relu' }), 'lstm: Unknown option "activation"'],
    [() => rnn(2, { activation: 'gelu' as 'relu' }), 'activation of rnn must be one of tanh, relu'],
  ])('%#: %s', (make, message) => {
    expect(make).toThrow(message);
  });

  it.each([
    ['rnn', rnn(3)],
    ['lstm', lstm(3, { projection: 2 })],
  ])('inputs without steps: %s', (_, layer) => {
    const error = (() => {
      try {
        describeModel(sequential(layer), { dtype: 'f32', shape: [4, 7] });
        return undefined;
      } catch (e) {
        return String(e);
      }
    })();
    expect(error).toMatch(/^FlatminError: Layer "0: (rnn|lstm)\(3\)": (rnn|lstm) expects /);
    expect(error).toContain('got f32[4, ');
  });
});
