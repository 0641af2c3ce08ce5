/** A model on a CUDA device predicts, evaluates, freezes and stops early as in JavaScript. */
import { expect, it } from 'vitest';
import {
  type AnyDataset,
  adamw,
  type FitOptions,
  fit,
  type Inputs,
  type Layer,
  lstmTagger,
  resnet18,
  syntheticDigits,
  tokenCrossEntropy,
} from '../../src/index.ts';
import { provideEmulation } from './build.ts';

const emulation = await provideEmulation();
const missing = emulation.missing !== null;
const skipped = missing ? `, skipped: ${emulation.missing}` : '';

const images = syntheticDigits({ count: 6, seed: 1, split: 'train', size: 12 });
const tokens = Int32Array.from({ length: 24 }, (_, i) => (i % 4 > i / 8 ? -1 : i % 7));
const sentences = {
  name: 'sentences',
  synthetic: true,
  inputs: { data: tokens, shape: [4] },
  labels: tokens.map((token) => Math.min(token, 2)),
  labelShape: [4],
  classes: 3,
  count: 6,
};

const CASES: readonly [string, Layer, AnyDataset, Partial<FitOptions>, Inputs][] = [
  [
    'resnet18',
    resnet18({ width: 2 }),
    images,
    { frozen: ['conv1.*'] },
    { data: new Uint8Array(2 * 9 * 14).fill(77), shape: [2, 1, 9, 14] },
  ],
  [
    'lstmTagger',
    lstmTagger({ vocabulary: 7, tags: 3, embedding: 4, hidden: 5 }),
    sentences,
    { loss: tokenCrossEntropy(), earlyStopping: { patience: 1 } },
    { data: tokens, shape: [3, 8] },
  ],
];

it.skipIf(missing).each(CASES)(`%s${skipped}`, async (_, layers, data, options, inputs) => {
  const run = async (device: 'js' | 'cuda-emulated') => {
    const { model, stopped } = await fit(
      layers,
      { train: data, test: data },
      { optimizer: adamw({ lr: 0.01 }), epochs: 2, batch: 4, device, ...options },
    );
    const evaluation = await model.evaluate(data);
    const y = model.predict(inputs);
    expect(await model.predictAsync(inputs)).toEqual(y);
    return { stopped, shape: y.shape, data: y.data, losses: [evaluation.loss] };
  };
  const [js, cuda] = [await run('js'), await run('cuda-emulated')];
  expect([cuda.stopped, cuda.shape]).toEqual([js.stopped, js.shape]);
  // AdamW's first steps are as large for gradients that are little but rounding.
  for (const part of ['data', 'losses'] as const) {
    js[part].forEach((x, i) => {
      expect(Math.abs(cuda[part][i] - x)).toBeLessThan(1e-5 * Math.max(1, Math.abs(x)));
    });
  }
});
