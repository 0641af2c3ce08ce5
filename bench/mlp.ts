import type { Dataset } from '#flatmin/data/dataset';
import { fit } from '#flatmin/doors/fit';
import { dropout, linear, relu } from '#flatmin/nn/layers/index';
import { mlp } from '#flatmin/nn/models';
import { sequential } from '#flatmin/nn/sequential';
import { sgd } from '#flatmin/optim/sgd';
import { Training } from '#flatmin/train/training';
import { noise } from './program.ts';
import { spread } from './runner.ts';
import type { Sample, Target } from './suite.ts';

const FEATURES = 10;
const STEPS = 2000;

/** A step of an MLP 10-64-2 with dropout and SGD with momentum: what a small model's epoch is made of. */
export async function mlpSteps(target: Target, batch: number): Promise<Sample> {
  const count = batch * STEPS;
  const train: Dataset = {
    name: 'noise',
    synthetic: true,
    inputs: { data: noise(count * FEATURES), shape: [FEATURES] },
    labels: Uint8Array.from({ length: count }, (_, i) => i % 2),
    classes: 2,
    count,
  };
  const model = sequential(linear(64), relu(), dropout(0.1), linear(2));
  const optimizer = sgd({ lr: 0.01, momentum: 0.9 });
  const training = new Training(model, { train }, { optimizer, batch, ...target });
  await training.epoch();
  const seconds: number[] = [];
  for (let i = 0; i < 5; i++) seconds.push((await training.epoch())?.seconds ?? Number.NaN);
  return { seconds: spread(seconds).median / STEPS };
}

const [TRAIN, TEST, EPOCHS] = [712, 179, 30];

/** A training by `fit` as a small table takes it: 23 steps an epoch, each followed by an evaluation. */
export async function tableTraining(target: Target): Promise<Sample> {
  const [train, test] = [TRAIN, TEST].map(
    (count): Dataset => ({
      name: 'noise',
      synthetic: true,
      inputs: { data: noise(count * FEATURES), shape: [FEATURES] },
      labels: Uint8Array.from({ length: count }, (_, i) => i % 2),
      classes: 2,
      count,
    }),
  );
  const optimizer = sgd({ lr: 0.01 });
  const seconds: number[] = [];
  for (let i = 0; i < 40; i++) {
    const started = performance.now();
    await fit(
      mlp({ out: 2 }),
      { train, test },
      { optimizer, batch: 32, epochs: EPOCHS, ...target },
    );
    seconds.push((performance.now() - started) / 1000);
  }
  return { seconds: spread(seconds.slice(20)).median };
}
