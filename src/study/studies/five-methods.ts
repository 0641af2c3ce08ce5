import { constant, leastOf, type Measured } from '../measured.ts';
import type { Claim, Comparison, Contender, Study } from '../study.ts';
import {
  above,
  alike,
  all,
  atMostTimes,
  below,
  faster,
  first,
  near,
  not,
  type Sample,
  type Verdict,
} from '../verdict.ts';

/**
 * A thesis compared five methods on three tasks and called two of them too slow. Here its settings run as printed, beside
 * each method and three usual ones tuned from as many points each.
 */

const SOURCE = 'M. P. Kuznetsova, thesis, Moscow State University, 2023';

type Settings = Contender['settings'];
type Five = 'sgd' | 'sam' | 'lion' | 'kfac' | 'shampoo';

const asPrinted = (settings: Readonly<Partial<Record<Five, Settings>>>): Contender[] =>
  Object.entries(settings).map(([method, own]) => ({
    name: `${method} as printed`,
    method: method as Five,
    settings: own,
    published: true,
  }));

const log = (from: number, to: number) => ({ from, to, scale: 'log' }) as const;
const DECAYS = [0, 1e-4, 3e-4, 1e-3];

/** Contenders that a selection tunes, with what they are before. */
const TUNED: readonly Contender[] = [
  {
    name: 'sgd',
    method: 'sgd',
    baseline: true,
    settings: { lr: 0.1 },
    space: { lr: log(0.01, 1), weightDecay: DECAYS },
  },
  {
    name: 'nesterov',
    method: 'nesterov',
    baseline: true,
    settings: { lr: 0.02 },
    space: { lr: log(1e-3, 0.3), weightDecay: DECAYS },
  },
  {
    name: 'adamw',
    method: 'adamw',
    baseline: true,
    settings: { lr: 1e-3 },
    space: { lr: log(1e-4, 0.02), weightDecay: [0, 0.01, 0.1] },
  },
  {
    name: 'sam',
    method: 'sam',
    settings: { lr: 0.1, rho: 0.05 },
    space: { lr: log(0.01, 1), weightDecay: DECAYS, rho: log(0.01, 0.5) },
  },
  {
    name: 'lion',
    method: 'lion',
    settings: { lr: 3e-4 },
    space: { lr: log(1e-5, 3e-3), weightDecay: [0, 0.01, 0.1] },
  },
  {
    name: 'kfac',
    method: 'kfac',
    settings: { lr: 0.03, statisticsEvery: 20, inversesEvery: 100 },
    space: {
      lr: log(3e-3, 1),
      weightDecay: DECAYS,
      damping: log(1e-4, 0.1),
      klClip: log(1e-4, 0.1),
    },
  },
  {
    name: 'shampoo',
    method: 'shampoo',
    settings: { lr: 0.1, statisticsEvery: 10, rootsEvery: 50 },
    space: { lr: log(0.01, 3), weightDecay: DECAYS, epsilon: log(1e-6, 0.01) },
  },
  {
    name: 'grafted shampoo',
    method: 'shampoo',
    settings: {
      lr: 0.05,
      graft: 'sgd',
      beta: 0.95,
      epsilon: 1e-6,
      momentum: 0.9,
      nesterov: true,
      statisticsEvery: 10,
      rootsEvery: 50,
    },
    space: { lr: log(1e-3, 0.3), weightDecay: DECAYS },
  },
];

/** Of Shampoo, where a vocabulary is a dimension. */
const WORDS = { blockSize: 128, diagonalAbove: 1000, statisticsEvery: 20, rootsEvery: 200 };

/**
 * By comparison and contender: what the selection on record in docs/results/five-methods found, and what suits a task of
 * large tables and batches of two sentences.
 */
const FOUND: Readonly<Record<string, Readonly<Record<string, Settings>>>> = {
  digits: {
    sgd: { lr: 0.161, weightDecay: 0.0001 },
    nesterov: { lr: 0.0392, weightDecay: 0.0001 },
    adamw: { lr: 0.00404, weightDecay: 0.01 },
    sam: { lr: 0.161, rho: 0.0139, weightDecay: 0.0001 },
    lion: { lr: 0.000607, weightDecay: 0.01 },
    kfac: { damping: 0.000938, klClip: 0.000681, lr: 0.173, weightDecay: 0.0001 },
    shampoo: { epsilon: 0.000674, lr: 0.13, weightDecay: 0.0003 },
    'grafted shampoo': { lr: 0.0312, weightDecay: 0.0001 },
  },
  entities: {
    sgd: { lr: 0.881, weightDecay: 0.0001 },
    nesterov: { lr: 0.257, weightDecay: 0.0001 },
    adamw: { lr: 0.00404, weightDecay: 0.01 },
    sam: { lr: 0.881, rho: 0.173, weightDecay: 0.0001 },
    lion: { lr: 0.000536, weightDecay: 0.01 },
    kfac: {
      ...{ damping: 0.00011, klClip: 0.000893, lr: 0.0792, weightDecay: 0.0001 },
      decoupled: true,
    },
    shampoo: { ...WORDS, epsilon: 1.57e-5, lr: 0.607, weightDecay: 0.0003 },
    'grafted shampoo': {
      ...{ ...WORDS, lr: 0.257, momentum: 0, nesterov: false },
      weightDecay: 0.0001,
    },
  },
};

/** The tuned ones with what a selection found for a comparison, if there was one. */
const tuned = (comparison: string, found = FOUND[comparison] ?? {}): Contender[] =>
  TUNED.map((contender) => ({
    ...contender,
    settings: { ...contender.settings, ...found[contender.name] },
  }));

const digits: Comparison = {
  name: 'digits',
  title: 'LeNet-5 on MNIST',
  task: 'digits',
  schedule: 'constant',
  target: 0.985,
  sizes: {
    quick: {
      epochs: 2,
      seeds: 2,
      evaluateEvery: 5,
      examples: 2000,
      testExamples: 1000,
      selection: { points: 4, epochs: 1, seeds: 1, examples: 1000, testExamples: 500 },
    },
    full: {
      epochs: 20,
      seeds: 5,
      evaluateEvery: 100,
      selection: { points: 16, epochs: 2, seeds: 1, examples: 20_000, testExamples: 5000 },
    },
  },
  contenders: [
    ...asPrinted({
      sgd: { lr: 0.1 },
      sam: { lr: 0.03, rho: 0.1 },
      lion: { lr: 1e-4 },
      kfac: { lr: 0.01, weightDecay: 3e-4 },
      shampoo: { lr: 0.1, weightDecay: 1e-4 },
    }),
    ...tuned('digits'),
  ],
};

/** Full-size training takes 19 hours a seed on two cores; this is its middle size. */
const imageSizes: Comparison['sizes'] = {
  quick: {
    epochs: 2,
    seeds: 2,
    evaluateEvery: 2,
    width: 4,
    examples: 300,
    testExamples: 200,
    selection: { points: 2, epochs: 1, seeds: 1, examples: 200, testExamples: 100 },
  },
  full: {
    epochs: 20,
    seeds: 3,
    evaluateEvery: 25,
    width: 16,
    examples: 10_000,
    testExamples: 2000,
    selection: { points: 8, epochs: 6, seeds: 1, examples: 5000, testExamples: 1000 },
  },
};

const images: Comparison = {
  name: 'images',
  title: 'ResNet-18 on CIFAR-10',
  task: 'images',
  schedule: 'constant',
  target: 'tuned',
  sizes: imageSizes,
  contenders: [
    ...asPrinted({
      sgd: { lr: 0.1, weightDecay: 1e-3 },
      sam: { lr: 0.03, weightDecay: 3e-4, rho: 0.1 },
      lion: { lr: 1e-4, weightDecay: 0.01 },
      kfac: { lr: 0.1, weightDecay: 1e-3 },
      shampoo: { lr: 2 },
    }),
    ...tuned('images'),
  ],
};

const cosine: Comparison = {
  ...images,
  name: 'images-cosine',
  title: 'ResNet-18 on CIFAR-10, cosine schedule',
  schedule: 'cosine',
  contenders: [
    ...asPrinted({
      sgd: { lr: 1, weightDecay: 1e-3 },
      sam: { lr: 0.2, weightDecay: 3e-4, rho: 0.1 },
      lion: { lr: 3e-4, weightDecay: 0.01 },
      kfac: { lr: 0.5, weightDecay: 1e-3 },
      shampoo: { lr: 2 },
    }),
    ...tuned('images-cosine'),
  ],
};

const entities: Comparison = {
  name: 'entities',
  title: 'An LSTM tagger on named entities',
  task: 'entities',
  schedule: 'constant',
  target: 0.91,
  sizes: {
    quick: {
      epochs: 2,
      seeds: 2,
      evaluateEvery: 50,
      examples: 300,
      testExamples: 200,
      selection: { points: 2, epochs: 1, seeds: 1, examples: 200, testExamples: 100 },
    },
    full: {
      epochs: 20,
      seeds: 5,
      evaluateEvery: 500,
      selection: { points: 8, epochs: 1, seeds: 1, examples: 5000, testExamples: 1000 },
    },
  },
  contenders: [
    ...asPrinted({
      sgd: { lr: 0.1, weightDecay: 3e-4 },
      sam: { lr: 0.03, weightDecay: 1e-4, rho: 0.1 },
      lion: { lr: 1e-4, weightDecay: 1e-3 },
      kfac: { lr: 0.03, weightDecay: 1e-3 },
    }),
    ...tuned('entities'),
  ],
};

/** A harder data set, small and noisy, beside the other: no target, no claims. */
const wnut17: Comparison = {
  ...entities,
  name: 'entities-wnut17',
  title: 'An LSTM tagger on WNUT-17',
  folder: 'wnut17',
  target: 'tuned',
  contenders: [...entities.contenders.filter(({ published }) => published), ...tuned('entities')],
};

type Part = 'digits' | 'images' | 'images-cosine' | 'entities';
const PRINTED = ['sgd', 'sam', 'lion', 'kfac', 'shampoo'] as const;

/** Of methods as printed. */
const printed = (method: Five): string => `${method} as printed`;
const each = <T>(methods: readonly Five[], of: (contender: string) => T): T[] =>
  methods.map((method) => of(printed(method)));

const claim = (text: string, published: string, judge: (measured: Measured) => Verdict): Claim => ({
  text,
  published,
  source: SOURCE,
  judge,
});

/** That a method's test loss ends at least a tenth above its least, which came by an epoch. */
const overfits = (m: Measured, part: Part, method: Five, by: number): Verdict =>
  all([
    above(m.overfitting(part, printed(method)), constant('a tenth more', 1.1)),
    below(m.turningEpoch(part, printed(method)), constant(`epoch ${by}`, by + 1)),
  ]);

const doesNotOverfit = (m: Measured, part: Part, method: Five): Verdict =>
  not(above(m.overfitting(part, printed(method)), constant('a tenth more', 1.1)));

/** That a method is the first of those printed to a target, by epochs or seconds. */
function firstPrinted(
  of: (contender: string) => Sample,
  method: Five,
  others: readonly Five[],
): Verdict {
  return first(
    of(printed(method)),
    each(
      others.filter((other) => other !== method),
      of,
    ),
  );
}

/** The headline: in less training time than the best baseline, all tuned from as many points. */
const practical = (part: Part, method: string): Claim => ({
  text: `${part}: ${method} reaches the target in less time than the best of SGD, Nesterov and AdamW, equally tuned`,
  published: 'the opposite: too slow to be practical',
  source: `this project's own claim, against ${SOURCE}`,
  judge: (m) => {
    const baselines = ['sgd', 'nesterov', 'adamw'].map((name) => m.seconds(part, name));
    return faster(m.seconds(part, method), leastOf(baselines));
  },
});

const ofDigits: readonly Claim[] = [
  claim('digits: all five end alike', 'curves that end together', (m) =>
    alike(
      each(PRINTED, (name) => m.final('digits', name)),
      0.005,
    ),
  ),
  claim('digits: Lion and Shampoo are the first at 0.985', 'by epochs', (m) =>
    all(
      (['lion', 'shampoo'] as const).flatMap((fast) =>
        (['sgd', 'sam', 'kfac'] as const).map((slow) =>
          faster(m.epochs('digits', printed(fast)), m.epochs('digits', printed(slow))),
        ),
      ),
    ),
  ),
  claim('digits: SAM reaches 0.985 in the fewest epochs', 'fewest epochs', (m) =>
    firstPrinted((name) => m.epochs('digits', name), 'sam', PRINTED),
  ),
  claim('digits: SAM reaches 0.985 in the least time', 'least time', (m) =>
    firstPrinted((name) => m.seconds('digits', name), 'sam', PRINTED),
  ),
  claim('digits: K-FAC costs too much time to be practical', 'slower to 0.985 than SGD', (m) =>
    faster(m.seconds('digits', printed('sgd')), m.seconds('digits', printed('kfac'))),
  ),
  claim('digits: Shampoo costs too much time to be practical', 'slower to 0.985 than SGD', (m) =>
    faster(m.seconds('digits', printed('sgd')), m.seconds('digits', printed('shampoo'))),
  ),
  claim('digits: Shampoo’s curves have no jumps', 'no falls from epoch to epoch', (m) =>
    below(m.largestFall('digits', printed('shampoo')), constant('a fall of 0.003', 0.003)),
  ),
  claim('digits: K-FAC reaches 0.985 before Shampoo', 'by epochs', (m) =>
    faster(m.epochs('digits', printed('kfac')), m.epochs('digits', printed('shampoo'))),
  ),
  claim('digits: Lion takes about SGD’s time to 0.985', 'about the same', (m) => {
    const [lion, sgd] = each(['lion', 'sgd'], (name) => m.seconds('digits', name));
    return all([atMostTimes(lion, sgd, 1.33), atMostTimes(sgd, lion, 1.33)]);
  }),
  claim('SAM takes twice SGD’s time an epoch', '2 ×', (m) => {
    const [sam, sgd] = each(['sam', 'sgd'], (name) => m.epochSeconds('digits', name));
    return all([atMostTimes(sam, sgd, 2.2), not(atMostTimes(sam, sgd, 1.8))]);
  }),
  claim('Lion takes hardly more time an epoch than SGD', 'hardly more', (m) => {
    const [lion, sgd] = each(['lion', 'sgd'], (name) => m.epochSeconds('digits', name));
    return atMostTimes(lion, sgd, 1.1);
  }),
];

const ofImages: readonly Claim[] = [
  claim('images: K-FAC is at its best by epoch 7, then overfits', '0.82 by epoch 7', (m) =>
    overfits(m, 'images', 'kfac', 7),
  ),
  claim('images: Lion overfits after epoch 7', 'after epoch 7', (m) =>
    overfits(m, 'images', 'lion', 7),
  ),
  claim('images: Lion is the first at its best baseline’s level', 'first to 0.82', (m) =>
    firstPrinted((name) => m.seconds('images', name), 'lion', PRINTED),
  ),
  claim('images: Lion reaches the target in the fewest epochs', 'fewest epochs to 0.75', (m) =>
    firstPrinted((name) => m.epochs('images', name), 'lion', PRINTED),
  ),
  claim('images: SAM ends best', 'about 0.83', (m) =>
    all(
      each(['sgd', 'lion', 'kfac', 'shampoo'], (name) =>
        above(m.final('images', printed('sam')), m.final('images', name)),
      ),
    ),
  ),
  claim('images: SAM does not overfit', 'test loss does not rise', (m) =>
    doesNotOverfit(m, 'images', 'sam'),
  ),
  claim('images: SGD’s test loss rises from about epoch 9', 'from about epoch 9', (m) =>
    all([
      above(m.overfitting('images', printed('sgd')), constant('a tenth more', 1.1)),
      near(m.turningEpoch('images', printed('sgd')), 9, 3),
    ]),
  ),
  claim('images: Shampoo overfits strongly after epoch 9', 'training loss near 0', (m) =>
    all([
      overfits(m, 'images', 'shampoo', 9),
      below(m.finalTrainLoss('images', printed('shampoo')), constant('0.05', 0.05)),
    ]),
  ),
  claim('images: Shampoo is the slowest to the target', 'slowest to 0.75', (m) =>
    all(
      each(['sgd', 'sam', 'lion', 'kfac'], (name) =>
        faster(m.seconds('images', name), m.seconds('images', printed('shampoo'))),
      ),
    ),
  ),
  claim('images: K-FAC takes fewer epochs to the target than SGD, but more time', '3 and 4', (m) =>
    all([
      faster(m.epochs('images', printed('kfac')), m.epochs('images', printed('sgd'))),
      faster(m.seconds('images', printed('sgd')), m.seconds('images', printed('kfac'))),
    ]),
  ),
  claim('images: a cosine schedule helps all but Shampoo', 'up to 0.87', (m) =>
    all([
      ...each(['sgd', 'sam', 'lion', 'kfac'], (name) =>
        above(m.final('images-cosine', name), m.final('images', name)),
      ),
      not(
        above(m.final('images-cosine', printed('shampoo')), m.final('images', printed('shampoo'))),
      ),
    ]),
  ),
  claim('images, cosine: SAM ends best, then K-FAC, Lion, SGD', 'in this order', (m) => {
    const finals = each(['sam', 'kfac', 'lion', 'sgd'], (name) => m.final('images-cosine', name));
    return all(finals.slice(1).map((next, i) => above(finals[i], next)));
  }),
  claim('images, cosine: Lion is the fastest to a good result', 'fastest', (m) =>
    firstPrinted((name) => m.seconds('images-cosine', name), 'lion', ['sgd', 'sam', 'kfac']),
  ),
];

const FOUR = ['sgd', 'sam', 'lion', 'kfac'] as const;

const ofEntities: readonly Claim[] = [
  claim('entities: K-FAC ends worst', 'worst', (m) =>
    all(
      each(['sgd', 'sam', 'lion'], (name) =>
        below(m.final('entities', printed('kfac')), m.final('entities', name)),
      ),
    ),
  ),
  claim('entities: K-FAC’s curve is the jumpiest', 'jumps', (m) =>
    all(
      each(['sgd', 'sam', 'lion'], (name) =>
        above(m.largestFall('entities', printed('kfac')), m.largestFall('entities', name)),
      ),
    ),
  ),
  claim('entities: Lion reaches 0.91 within an epoch', 'within one epoch', (m) =>
    atMostTimes(m.epochs('entities', printed('lion')), constant('an epoch', 1), 1),
  ),
  claim('entities: Lion overfits after epoch 4', 'after epoch 4', (m) =>
    overfits(m, 'entities', 'lion', 5),
  ),
  claim('entities: Lion’s training loss is near 0 at the end', 'after epoch 8', (m) =>
    below(m.finalTrainLoss('entities', printed('lion')), constant('0.05', 0.05)),
  ),
  claim('entities: SAM ends best', 'best', (m) =>
    all(
      each(['sgd', 'lion', 'kfac'], (name) =>
        above(m.final('entities', printed('sam')), m.final('entities', name)),
      ),
    ),
  ),
  claim('entities: SGD and SAM do not overfit', 'test loss does not rise', (m) =>
    all([doesNotOverfit(m, 'entities', 'sgd'), doesNotOverfit(m, 'entities', 'sam')]),
  ),
  claim('entities: SAM needs fewer epochs to 0.91 than SGD, but more time', 'both', (m) =>
    all([
      faster(m.epochs('entities', printed('sam')), m.epochs('entities', printed('sgd'))),
      faster(m.seconds('entities', printed('sgd')), m.seconds('entities', printed('sam'))),
    ]),
  ),
  claim('entities: K-FAC takes the most time an epoch', 'most time', (m) =>
    all(
      each(
        FOUR.filter((method) => method !== 'kfac'),
        (name) =>
          faster(m.epochSeconds('entities', name), m.epochSeconds('entities', printed('kfac'))),
      ),
    ),
  ),
];

export const fiveMethods: Study = {
  name: 'five-methods',
  title: 'Five methods on three tasks',
  about: [
    'SGD, SAM, Lion, K-FAC and Shampoo train LeNet-5, ResNet-18 and an LSTM tagger at the settings of a thesis, and beside them the same methods, Nesterov and AdamW tuned from equally many points on validation rows.',
    'Times are training seconds alone: evaluations cost none. A target counts as reached where the mean of three evaluations is there. Intervals are of 95 %, by bootstrap over seeds.',
  ],
  comparisons: [digits, images, cosine, entities, wnut17],
  grids: [],
  claims: [
    ...(['digits', 'images', 'entities'] as const).flatMap((part) =>
      ['kfac', 'grafted shampoo'].map((method) => practical(part, method)),
    ),
    ...ofDigits,
    ...ofImages,
    ...ofEntities,
  ],
};
