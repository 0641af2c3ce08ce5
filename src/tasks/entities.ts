import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { readConll, type Sentence } from '../data/conll.ts';
import { findFiles, readFirst } from '../data/locate.ts';
import { syntheticSentences } from '../data/synthetic-sentences.ts';
import {
  longest,
  readSentences,
  type Tagging,
  taggingDataset,
  tagsOf,
  tokensOf,
} from '../data/tagging.ts';
import { Vocabulary } from '../data/vocabulary.ts';
import { tokenCrossEntropy } from '../nn/cross-entropy.ts';
import { entityF1 } from '../nn/entity-f1.ts';
import { lstmTagger } from '../nn/models.ts';
import { tagAnswers } from './answers.ts';
import { firstOf } from './examples.ts';
import type { DataSource, Task } from './task.ts';

/** Folders of data sets in this form, best first: the study's own cannot be shipped, and the next has its sizes and types. */
const DATASETS = ['conll2003', 'wikineural', 'wnut17'];
const FETCHED = 'wnut17';
const WIDTH = 128;
const EMBEDDING = 100;
const COUNT = { train: 3000, test: 600 };

type Part = 'train' | 'validation' | 'test';
/** Names of the files, as others have them too. */
const FILES: Readonly<Record<Part, readonly string[]>> = {
  train: ['train.conll', 'train.txt', 'eng.train'],
  validation: ['dev.conll', 'valid.txt', 'eng.testa'],
  test: ['test.conll', 'test.txt', 'eng.testb'],
};

const network = ({ vocabulary, tags }: Tagging, hidden: number) =>
  lstmTagger({ vocabulary: vocabulary.size, tags: tags.length, embedding: EMBEDDING, hidden });

const savedSchema = z.object({
  width: z.int().positive(),
  words: z.array(z.string()),
  tags: z.array(z.string()).min(1),
});

/** An LSTM that tags entities; settings of the published five-method study, which did not run Shampoo. */
export const entities: Task = {
  name: 'entities',
  network: 'LSTM tagger',
  dataset: FETCHED,
  batch: 2,
  epochs: 20,
  target: 0.91,
  width: WIDTH,
  settings: {
    sgd: { lr: 0.1, weightDecay: 3e-4 },
    sam: { lr: 0.03, weightDecay: 1e-4, rho: 0.1 },
    lion: { lr: 1e-4, weightDecay: 1e-3 },
    kfac: { lr: 0.03, weightDecay: 1e-3 },
    // By sweeps, docs/results/settings.md.
    shampoo: {
      lr: 0.1,
      epsilon: 0.01,
      graft: 'sgd',
      blockSize: 128,
      statisticsEvery: 10,
      rootsEvery: 100,
    },
    adadelta: { lr: 3 },
    adagrad: { lr: 0.1 },
    adam: { lr: 0.003 },
    amsgrad: { lr: 0.003 },
    adamw: { lr: 0.003 },
    enim: { lr: 0.0003 },
    muon: { lr: 0.003 },
    rmsprop: { lr: 0.003 },
    momentum: { lr: 0.03 },
    nesterov: { lr: 0.03 },
  },
  isIn: (dir) => find(dir, 'train') !== undefined,
  load: ({ dir, examples, testExamples, validation, width = WIDTH }: DataSource) => {
    const { name, read } = dir === undefined ? drawn : inFolder(dir);
    const all = read('train', examples);
    const train = firstOf(all, examples, name);
    const tagging = { vocabulary: Vocabulary.of(train), tags: tagsOf(all) };
    const called = { name, synthetic: dir === undefined };
    const dataset = (sentences: readonly Sentence[]) => taggingDataset(sentences, tagging, called);
    const held = (part: Part) => dataset(firstOf(read(part, testExamples), testExamples, name));
    return {
      data: { train: dataset(train), test: held(validation ? 'validation' : 'test') },
      ...(validation && { final: held('test') }),
      model: network(tagging, width),
      loss: tokenCrossEntropy(),
      metrics: [entityF1(tagging.tags)],
      classes: tagging.tags,
      saved: { width, words: tagging.vocabulary.words, tags: tagging.tags },
    };
  },
  open: (saved) => {
    const { width, words, tags } = savedSchema.parse(saved);
    const vocabulary = new Vocabulary(words);
    return {
      model: network({ vocabulary, tags }, width),
      read: (path) => {
        const sentences = readSentences(path);
        const steps = longest(sentences);
        const data = tokensOf(sentences, vocabulary, steps);
        return {
          inputs: { data, shape: [sentences.length, steps] },
          answers: (outputs) => tagAnswers(outputs, sentences, tags),
        };
      },
    };
  },
};

interface Sentences {
  readonly name: string;
  read(part: Part, count?: number): readonly Sentence[];
}

const drawn: Sentences = {
  name: 'synthetic sentences',
  read: (split, count) =>
    syntheticSentences({ split, count: count ?? COUNT[split === 'train' ? 'train' : 'test'] }),
};

/** The file of a part in `dir` or in the folder of a data set there. */
const find = (dir: string, part: Part): string | undefined =>
  DATASETS.flatMap((dataset) => FILES[part].flatMap((file) => findFiles(dir, dataset, file)))[0];

/** All parts are of one data set. */
function inFolder(dir: string): Sentences {
  const train = find(dir, 'train');
  const folder = train === undefined ? dir : dirname(train);
  return {
    name: basename(folder),
    read: (part) => {
      const file = FILES[part].find((name) => findFiles(folder, FETCHED, name).length > 0);
      return readFirst(folder, FETCHED, file ?? FILES[part][0], readConll).content;
    },
  };
}
