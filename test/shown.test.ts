/** What `console.log` shows of models, optimizers, datasets and summaries. */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  adamw,
  batchNorm,
  conv2d,
  cosine,
  dataset,
  embedding,
  flatten,
  groups,
  lenet5,
  linear,
  lstm,
  lstmTagger,
  relu,
  residual,
  resnet18,
  sam,
  sequential,
  sgd,
  summary,
  syntheticDigits,
  trainStep,
  warmup,
} from '../src/index.ts';

describe('summary', () => {
  it('of LeNet-5: what its layers take', () => {
    const made = summary(lenet5(), [1, 32, 32]);
    // Kernels times places: 6·25·28², 16·6·25·10², 120·16·25, 120·84, 84·10.
    expect(made.layers.map((layer) => layer.multiplications).filter(Boolean)).toEqual([
      117600, 240000, 48000, 10080, 840,
    ]);
    expect(made).toMatchObject({ parameters: 61706, bytes: 4 * 61706, multiplications: 416520 });
    expect(inspect(made)).toMatchInlineSnapshot(`
      "layer                      output        parameters  multiplications
      ────────────────────────────────────────────────────────────────────
      conv1    conv2d(6, 5×5)    [6, 28, 28]          156          117,600
      relu1    relu()            [6, 28, 28]
      pool1    maxPool2d(2)      [6, 14, 14]
      conv2    conv2d(16, 5×5)   [16, 10, 10]       2,416          240,000
      relu2    relu()            [16, 10, 10]
      pool2    maxPool2d(2)      [16, 5, 5]
      conv3    conv2d(120, 5×5)  [120, 1, 1]       48,120           48,000
      relu3    relu()            [120, 1, 1]
      flatten  flatten()         [120]
      fc1      linear(84)        [84]              10,164           10,080
      relu4    relu()            [84]
      fc2      linear(10)        [10]                 850              840
      ────────────────────────────────────────────────────────────────────
      total                                        61,706          416,520
      0.2 MB as float32"
    `);
  });

  it('of layers within layers', () => {
    const made = summary(resnet18(), [3, 32, 32]);
    expect(made.parameters).toBe(11173962);
    const sum = (of: 'parameters' | 'multiplications') =>
      made.layers.reduce((total, layer) => total + layer[of], 0);
    expect(sum('parameters')).toBe(made.parameters);
    expect(sum('multiplications')).toBe(made.multiplications);
    // Convolutions of the four stages, the first and the last layer: 555 M as published for CIFAR-10.
    expect(made.multiplications).toBe(555422720);
    expect(made.bytes).toBeGreaterThan(4 * made.parameters);
  });

  it('of tokens, of one layer and of a function', () => {
    const tagger = lstmTagger({ vocabulary: 50, tags: 3, embedding: 4, hidden: 5 });
    const made = summary(tagger, { shape: [7], dtype: 'i32' });
    expect(made.layers.map(({ name, shape }) => [name, shape])).toEqual([
      ['embedding', [7, 4]],
      ['lstm', [7, 5]],
      ['fc', [7, 3]],
    ]);
    // Four gates of 5 from 4 and 5 numbers, and three tags, in each of seven steps.
    expect(made.layers.map((layer) => layer.multiplications)).toEqual([0, 7 * 20 * 9, 7 * 15]);
    expect(summary(linear(2), [3]).layers).toEqual([
      { name: '', layer: 'linear(2)', shape: [2], parameters: 8, multiplications: 6 },
    ]);
    expect(summary((x) => x, [3])).toMatchObject({ parameters: 0, multiplications: 0 });
  });

  it('refuses what is no model or no shape', () => {
    expect(() => summary(3 as never, [1])).toThrow('The model must be a layer, got 3');
    expect(() => summary(linear(2), 3 as never)).toThrow(
      'The options of summary must be an object',
    );
    expect(() => summary(linear(2), { shape: [1], type: 'i32' } as never)).toThrow(
      'summary: Unknown option "type"',
    );
    expect(() => summary(conv2d(2, 3), [3])).toThrow(
      expect.objectContaining({ code: 'FLATMIN_SHAPE' }),
    );
  });
});

it('console.log says what things are', () => {
  const model = sequential({
    conv: conv2d(4, 3),
    block: residual(sequential(linear(8), relu())),
    head: sequential(batchNorm(), flatten(), linear(2)),
  });
  const params = { w: { data: new Float32Array(6), shape: [2, 3] } };
  const optimizer = sam(sgd({ lr: warmup(cosine(0.1, { epochs: 3 }), { steps: 5 }) }), {
    rho: 0.1,
  });
  const step = trainStep(linear(2), { input: [3], optimizer: sgd({ lr: 0.1 }), device: 'js' });
  const things = [
    model,
    embedding(20, 3),
    lstm(4),
    optimizer,
    groups([{ match: /bias/, optimizer: sgd({ lr: 1 }) }, { optimizer: adamw({ lr: 0.1 }) }]),
    adamw(params, { lr: 0.1, device: 'js' }),
    step,
    step.model,
    dataset({ inputs: [[1, 2]], labels: [0] }),
    dataset({ inputs: [[1, 2]], targets: [[0.5, 1]], name: 'pairs' }),
    syntheticDigits({ count: 20, seed: 0, split: 'train' }),
  ];
  expect(things.map((thing) => inspect(thing)).join('\n')).toMatchInlineSnapshot(`
    "sequential {
      conv: conv2d(4, 3×3)
      block: residual()
      head: sequential {
        0: batchNorm()
        1: flatten()
        2: linear(2)
      }
    }
    embedding(20, 3)
    lstm(4)
    sam { rho: 0.1, p: 2, adaptive: false, every: 1, between: 'base', base: { name: 'sgd', lr: warmup { steps: 5, rate: cosine { max: 0.1, min: 0, epochs: 3 } }, momentum: 0, nesterov: false, weightDecay: 0, decoupled: false } }
    groups {
      groups: [ { match: '/bias/', name: 'sgd', lr: 1, momentum: 0, nesterov: false, weightDecay: 0, decoupled: false }, { match: 'all', name: 'adamw', lr: 0.1, betas: [ 0.9, 0.999 ], eps: 1e-8, amsgrad: false, weightDecay: 0.01 } ]
    }
    adamw { lr: 0.1, betas: [ 0.9, 0.999 ], eps: 1e-8, amsgrad: false, weightDecay: 0.01 } on 6 numbers in 1 array, after 0 steps
    trainStep after 0 steps: sgd { lr: 0.1, momentum: 0, nesterov: false, weightDecay: 0, decoupled: false }
    TrainedModel of 8 parameters, for inputs f32 [3] {
      weight [2, 3]
      bias [2]
    }
    TrainedModel of 8 parameters, for inputs f32 [3] {
      weight [2, 3]
      bias [2]
    }
    data: 1 example of Float32Array [2], 1 class
    pairs: 1 example of Float32Array [2], targets [2]
    synthetic digits: generated, 20 examples of Uint8Array [1, 28, 28], 10 classes"
  `);
});
