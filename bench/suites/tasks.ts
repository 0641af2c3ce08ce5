/** The real networks: what a training step of theirs takes beside PyTorch's, and every method beside SGD. */
import { resnet18 } from '#flatmin/nn/models';
import { kfac } from '#flatmin/optim/kfac';
import { lion } from '#flatmin/optim/lion';
import { muonWithAdamW } from '#flatmin/optim/muon-with-adamw';
import { sam } from '#flatmin/optim/sam';
import { sgd } from '#flatmin/optim/sgd';
import { shampoo } from '#flatmin/optim/shampoo';
import { soap } from '#flatmin/optim/soap';
import type { Optimizer } from '#flatmin/step/bound';
import { Training } from '#flatmin/train/training';
import { CPU, flatmin } from '../flatmin.ts';
import { memoryUsed } from '../memory.ts';
import { torch } from '../peers.ts';
import { imagesOf } from '../resnet.ts';
import { meanStep } from '../steady.ts';
import type { Comparison, Sample, Subject, Suite, Target, Works } from '../suite.ts';
import { FILE, lacksSentences, BATCH as SENTENCES, taggerEpoch } from '../tagger.ts';

const BATCH = 100;

const ON_IMAGES: Readonly<Record<string, () => Optimizer>> = {
  sgd: () => sgd({ lr: 0.05, momentum: 0.9 }),
  sam: () => sam(sgd({ lr: 0.05, momentum: 0.9 })),
  lion: () => lion({ lr: 1e-4 }),
  'shampoo, statistics every 20, roots every 100': () =>
    shampoo({ lr: 0.05, graft: 'sgd', statisticsEvery: 20, rootsEvery: 100 }),
  'kfac, statistics every 20, inverses every 100': () =>
    kfac({ lr: 0.01, statisticsEvery: 20, inversesEvery: 100 }),
  'soap, bases every 10': () => soap({ lr: 1e-3 }),
  'muon with adamw': () => muonWithAdamW({ muon: { lr: 0.02 }, adamw: { lr: 1e-3 } }),
};

/** Blocks of the LSTM's gates; a vocabulary's rows have a diagonal, and move alone. */
const ON_SENTENCES: Readonly<Record<string, () => Optimizer>> = {
  sgd: () => sgd({ lr: 0.1 }),
  'kfac, blocks of 128, statistics every 20, inverses every 100': () =>
    kfac({ lr: 0.03, blockSize: 128, statisticsEvery: 20, inversesEvery: 100 }),
  'shampoo, blocks of 128, statistics every 20, roots every 500': () =>
    shampoo({ lr: 0.1, blockSize: 128, diagonalAbove: 1000, statisticsEvery: 20, rootsEvery: 500 }),
};

type Precision = 'float32' | 'bf16';

const trainingOf = (optimizer: Optimizer, target: Target, precision: Precision = 'float32') =>
  new Training(
    resnet18(),
    { train: imagesOf(BATCH) },
    { optimizer, batch: BATCH, precision, ...target },
  );

/** From a network and a method to a step that could begin: tracing, compiling, initialising. */
function readiness(optimizer: Optimizer, target: Target): Sample {
  const images = imagesOf(BATCH);
  const begun = performance.now();
  const options = { optimizer, batch: BATCH, ...target };
  const training = new Training(resnet18(), { train: images }, options);
  return { seconds: (performance.now() - begun) / 1000, memory: memoryUsed(training) };
}

const step = (method: string) => `ResNet-18 by ${method}`;
const ready = (method: string) => `ResNet-18 by ${method}, until its first step`;
const epoch = (method: string) => `LSTM tagger by ${method}`;
const IN_BF16 = 'ResNet-18 by sgd in bf16';

const worksOf = (
  methods: Readonly<Record<string, () => Optimizer>>,
  name: (method: string) => string,
  perform: (optimizer: Optimizer, target: Target) => Sample | Promise<Sample>,
): Works =>
  Object.fromEntries(
    Object.entries(methods).map(([method, make]) => [
      name(method),
      (target) => perform(make(), target),
    ]),
  );

export const works: Works = {
  ...worksOf(ON_IMAGES, step, (optimizer, target) => meanStep(trainingOf(optimizer, target))),
  ...worksOf(ON_IMAGES, ready, readiness),
  ...worksOf(ON_SENTENCES, epoch, taggerEpoch),
  [IN_BF16]: (target) => meanStep(trainingOf(ON_IMAGES.sgd(), target, 'bf16')),
};

const everyCore = CPU[CPU.length - 1];
const { threads } = everyCore;
const own = (work: string, name: string) => flatmin('tasks', work, everyCore, name);

/** The peer in each of two ways: the better one counts. */
const besidePeer = (
  name: string,
  work: string,
  ways: readonly string[],
  peer: (way: string) => Subject,
): Comparison[] =>
  ways.map((way) => ({
    name: `${name}, PyTorch's ${way.replace('_', ' ')}`,
    subjects: [peer(way), own(work, 'flatmin')],
    ratio: 'speedup',
  }));

const FORMATS = ['contiguous', 'channels_last'];

/** Every method beside SGD in a comparison of its own, so that what is compared ran at the same time. */
const besideSgd = (
  what: string,
  methods: Readonly<Record<string, unknown>>,
  work: (method: string) => string,
): Comparison[] =>
  Object.keys(methods)
    .filter((method) => method !== 'sgd')
    .map((method) => ({
      name: `${what}: ${method}`,
      subjects: [own(work('sgd'), 'sgd'), own(work(method), method)],
      ratio: 'cost',
    }));

const withSentences = (comparison: Comparison): Comparison => ({
  ...comparison,
  rounds: 3,
  subjects: comparison.subjects.map((subject) => ({
    ...subject,
    lack: () => lacksSentences() ?? subject.lack?.() ?? null,
  })),
});

export const suite: Suite = {
  name: 'tasks',
  title: `ResNet-18 at batch ${BATCH}, a mean step; the LSTM tagger at batch ${SENTENCES}, an epoch of WikiNEuRal`,
  rounds: 5,
  onRequest: true,
  comparisons: [
    ...besidePeer('ResNet-18 step', step('sgd'), FORMATS, (format) =>
      torch('resnet18', threads, BATCH, 'float32', format),
    ),
    ...besidePeer('ResNet-18 step in bf16', IN_BF16, FORMATS, (format) =>
      torch('resnet18', threads, BATCH, 'bfloat16', format),
    ),
    ...besideSgd('ResNet-18 step', ON_IMAGES, step),
    {
      name: 'ResNet-18 until its first step',
      subjects: Object.keys(ON_IMAGES).map((method) => own(ready(method), method)),
      ratio: 'cost',
    },
    ...[
      ...besidePeer(
        'LSTM tagger, an epoch',
        epoch('sgd'),
        ['dense gradients', 'sparse gradients'],
        (gradients) => torch('tagger_epoch', 1, FILE, SENTENCES, gradients.split(' ')[0]),
      ),
      ...besideSgd('LSTM tagger, an epoch', ON_SENTENCES, epoch),
    ].map(withSentences),
  ],
};
