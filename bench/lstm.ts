import type { Dataset } from '#flatmin/data/dataset';
import { tokenCrossEntropy } from '#flatmin/nn/cross-entropy';
import { embedding, linear } from '#flatmin/nn/layers/index';
import { lstm } from '#flatmin/nn/layers/recurrent';
import { sequential } from '#flatmin/nn/sequential';
import { sgd } from '#flatmin/optim/sgd';
import { Training } from '#flatmin/train/training';
import { spread } from './runner.ts';
import type { Sample, Target } from './suite.ts';

const [VOCABULARY, DIM, HIDDEN, CLASSES] = [1000, 100, 128, 13];
const STEPS = 200;

/** A step of a tagger, embedding 100, LSTM 128 and a linear layer, by SGD on sentences of the same length. */
export async function lstmSteps(target: Target, batch: number, length: number): Promise<Sample> {
  const count = batch * STEPS;
  const train: Dataset = {
    name: 'tokens',
    synthetic: true,
    inputs: {
      data: Int32Array.from({ length: count * length }, (_, i) => (7919 * i) % VOCABULARY),
      shape: [length],
    },
    labels: Int32Array.from({ length: count * length }, (_, i) => i % CLASSES),
    labelShape: [length],
    classes: CLASSES,
    count,
  };
  const model = sequential(embedding(VOCABULARY, DIM), lstm(HIDDEN), linear(CLASSES));
  const options = { optimizer: sgd({ lr: 0.01 }), loss: tokenCrossEntropy(), batch, ...target };
  const training = new Training(model, { train }, options);
  await training.epoch();
  const seconds: number[] = [];
  for (let i = 0; i < 5; i++) seconds.push((await training.epoch())?.seconds ?? Number.NaN);
  return { seconds: spread(seconds).median / STEPS };
}
