import { syntheticDigits } from '../data/digits.ts';
import { findFiles } from '../data/locate.ts';
import { loadMnist, readDigits, type Split } from '../data/mnist.ts';
import { lenet5 } from '../nn/models.ts';
import type { Tensor } from '../train/predictor.ts';
import { classAnswers } from './answers.ts';
import { chosenExamples } from './examples.ts';
import type { DataSource, Problem, Task } from './task.ts';

/** Pixels of background on each side: LeNet-5 takes images of 32 × 32. */
const PAD = 2;
const SYNTHETIC = { size: 28 + 2 * PAD, seed: 0 };
const COUNT: Record<Split, number> = { train: 60_000, test: 10_000 };

const CLASSES = Array.from({ length: 10 }, (_, digit) => `${digit}`);

/** LeNet-5 on MNIST; settings of the published five-method study. */
export const digits = {
  name: 'digits',
  network: 'LeNet-5',
  dataset: 'mnist',
  batch: 100,
  epochs: 20,
  target: 0.985,
  settings: {
    sgd: { lr: 0.1, weightDecay: 0 },
    sam: { lr: 0.03, weightDecay: 0, rho: 0.1 },
    lion: { lr: 1e-4, weightDecay: 0 },
    kfac: { lr: 0.01, weightDecay: 3e-4 },
    shampoo: { lr: 0.1, weightDecay: 1e-4 },
    // By sweeps, docs/results/settings.md.
    adadelta: { lr: 1 },
    adagrad: { lr: 0.03 },
    adam: { lr: 0.003 },
    amsgrad: { lr: 0.003 },
    adamw: { lr: 0.003 },
    enim: { lr: 0.001 },
    'lion-k': { lr: 0.01 },
    muon: { lr: 0.003 },
    'norm-descent': { lr: 0.03 },
    rmsprop: { lr: 0.001 },
    asam: { lr: 0.3 },
    looksam: { lr: 0.1 },
    momentum: { lr: 0.03 },
    nesterov: { lr: 0.03 },
    soap: { lr: 0.003 },
  },
  isIn: (dir: string) => findFiles(dir, 'mnist', 'train-images-idx3-ubyte').length > 0,
  load: (source: DataSource) => ({
    ...(source.dir === undefined ? drawn(source) : loaded(source.dir, source)),
    model: lenet5(),
    classes: CLASSES,
    saved: {},
  }),
  open: () => ({
    model: lenet5(),
    read: (path: string) => ({
      inputs: readDigits(path, PAD),
      answers: (outputs: Tensor) => classAnswers(outputs, CLASSES),
    }),
  }),
} satisfies Task;

const loaded = (dir: string, source: DataSource) =>
  chosenExamples(
    {
      train: loadMnist(dir, 'train', { pad: PAD }),
      test: loadMnist(dir, 'test', { pad: PAD }),
    },
    source,
  );

/** As many as are asked for: example i is the same however many there are. */
function drawn({
  examples,
  testExamples,
  validation,
}: DataSource): Pick<Problem, 'data' | 'final'> {
  const digits = (split: Split, count = COUNT[split], seed = SYNTHETIC.seed) =>
    syntheticDigits({ ...SYNTHETIC, split, count, seed });
  const train = digits('train', examples);
  const test = digits('test', testExamples);
  // There is no end of them: others than the test images.
  const held = () => digits('test', testExamples, SYNTHETIC.seed + 1);
  return validation ? { data: { train, test: held() }, final: test } : { data: { train, test } };
}
