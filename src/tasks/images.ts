import { z } from 'zod';
import { CIFAR10_CLASSES, loadCifar10, readCifar10 } from '../data/cifar10.ts';
import { findFiles } from '../data/locate.ts';
import { isPng, readPng } from '../data/png.ts';
import { syntheticImages } from '../data/synthetic-images.ts';
import type { Layer } from '../nn/layer.ts';
import { randomCrop2d, randomFlip } from '../nn/layers/random.ts';
import { resnet18 } from '../nn/models.ts';
import { sequential } from '../nn/sequential.ts';
import type { Tensor } from '../train/predictor.ts';
import { classAnswers } from './answers.ts';
import { chosenExamples } from './examples.ts';
import type { DataSource, Problem, Task } from './task.ts';

const WIDTH = 64;
/** Of generated images. */
const COUNT = { train: 10_000, test: 2000 };

const network = (width: number) => resnet18({ width, classes: CIFAR10_CLASSES.length });

/** As is usual for CIFAR-10 (He et al. 2016). */
const augmentation = sequential(randomCrop2d(4), randomFlip());

/** The network as it trains: behind the augmentation its names stay as they are. */
const trained = (model: Layer, { augment }: DataSource): Layer =>
  augment ? (x, scope) => model(augmentation(x, scope), scope) : model;
const savedSchema = z.object({ width: z.int().positive() });

/** ResNet-18 on CIFAR-10, standardised per channel, as it comes; settings of the published five-method study. */
export const images: Task = {
  name: 'images',
  network: 'ResNet-18',
  dataset: 'cifar10',
  batch: 100,
  epochs: 20,
  target: 0.75,
  width: WIDTH,
  augmentation,
  settings: {
    sgd: { lr: 0.1, weightDecay: 1e-3 },
    sam: { lr: 0.03, weightDecay: 3e-4, rho: 0.1 },
    lion: { lr: 1e-4, weightDecay: 0.01 },
    kfac: { lr: 0.1, weightDecay: 1e-3 },
    // By sweeps, docs/results/settings.md.
    shampoo: { lr: 0.05, graft: 'none', weightDecay: 0.0005, rootsEvery: 50 },
  },
  isIn: (dir) => findFiles(dir, 'cifar10', 'data_batch_1.bin').length > 0,
  load: (source: DataSource) => ({
    ...(source.dir === undefined ? drawn(source) : loaded(source.dir, source)),
    model: trained(network(source.width ?? WIDTH), source),
    classes: CIFAR10_CLASSES,
    saved: { width: source.width ?? WIDTH },
  }),
  open: (saved) => ({
    model: network(savedSchema.parse(saved).width),
    read: (path) => {
      const { data, shape } = isPng(path) ? fromPng(path) : readCifar10(path);
      const answers = (outputs: Tensor) => classAnswers(outputs, CIFAR10_CLASSES);
      return { inputs: { data, shape }, answers };
    },
  }),
};

const SIDE = 32;

const fromPng = (path: string) => ({
  data: readPng(path, { channels: 3, side: SIDE }),
  shape: [1, 3, SIDE, SIDE],
});

const loaded = (dir: string, source: DataSource) =>
  chosenExamples({ train: loadCifar10(dir, 'train'), test: loadCifar10(dir, 'test') }, source);

/** As many as are asked for: example i is the same however many there are. */
function drawn({
  examples = COUNT.train,
  testExamples = COUNT.test,
  validation,
}: DataSource): Pick<Problem, 'data' | 'final'> {
  const train = syntheticImages({ split: 'train', count: examples });
  const test = syntheticImages({ split: 'test', count: testExamples });
  const held = () => syntheticImages({ split: 'validation', count: testExamples });
  return validation ? { data: { train, test: held() }, final: test } : { data: { train, test } };
}
