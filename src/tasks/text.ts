import { z } from 'zod';
import { syntheticSentences } from '../data/synthetic-sentences.ts';
import { findText, loadText, type TextParts, tokenWindows } from '../data/text.ts';
import {
  ByteTokenizer,
  CharacterTokenizer,
  type Tokenizer,
  type TokenizerJSON,
  tokenizerFrom,
} from '../data/tokenizer.ts';
import { FlatminError } from '../errors.ts';
import { readText } from '../files.ts';
import { tokenCrossEntropy } from '../nn/cross-entropy.ts';
import { gpt } from '../nn/gpt.ts';
import { perplexity } from '../nn/perplexity.ts';
import type { Tensor } from '../train/predictor.ts';
import { writeTokens } from '../train/write.ts';
import { classAnswers } from './answers.ts';
import { firstExamples } from './examples.ts';
import type { DataSource, Task, Writer } from './task.ts';

const [WIDTH, LAYERS, HEADS, CONTEXT] = [128, 4, 4, 64];
/** A text of more different characters is taken as bytes. */
const MOST_CHARACTERS = 256;
/** Generated sentences. */
const COUNT = { train: 6000, validation: 400, test: 400 };

const network = (tokenizer: Tokenizer, width: number) =>
  gpt({ vocabulary: tokenizer.size, context: CONTEXT, layers: LAYERS, heads: HEADS, width });

const savedSchema = z.object({
  width: z.int().positive(),
  tokenizer: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('characters'), characters: z.string() }),
    z.object({ kind: z.literal('bytes') }),
  ]) satisfies z.ZodType<TokenizerJSON>,
});

/** A small GPT that predicts the next character of a text. */
export const text: Task = {
  name: 'text',
  network: 'GPT',
  dataset: 'text',
  batch: 12,
  epochs: 2,
  target: 0.4,
  width: WIDTH,
  // Where the usual ones hardly begin to learn, or take too long: docs/results/tasks.md.
  settings: {
    adagrad: { lr: 0.003 },
    'norm-descent': { lr: 0.001, norm: 'linf' },
    rmsprop: { lr: 0.0003 },
    asam: { rho: 0.02 },
    looksam: { lr: 0.03, rho: 0.02 },
  },
  isIn: (dir) => findText(dir) !== undefined,
  load: ({ dir, examples, testExamples, validation, width = WIDTH }: DataSource) => {
    const parts = dir === undefined ? drawn() : loadText(dir);
    const tokenizer = tokenizerOf(parts.train);
    const windows = (part: 'train' | 'validation' | 'test', count?: number) =>
      firstExamples(
        tokenWindows(tokenizer.encode(parts[part]), {
          context: CONTEXT,
          vocabulary: tokenizer.size,
          name: parts.name,
          synthetic: dir === undefined,
        }),
        count,
      );
    const train = windows('train', examples);
    const test = windows(validation ? 'validation' : 'test', testExamples);
    return {
      data: { train, test },
      ...(validation && { final: windows('test', testExamples) }),
      model: network(tokenizer, width),
      loss: tokenCrossEntropy(),
      metrics: [perplexity()],
      baseline: { perplexity: Math.exp(surpriseByFrequency(train, test)) },
      classes: namesOf(tokenizer),
      saved: { width, tokenizer },
      writer: writerOf(tokenizer),
    };
  },
  open: (saved) => {
    const { width, tokenizer: json } = savedSchema.parse(saved);
    const tokenizer = tokenizerFrom(json);
    return {
      model: network(tokenizer, width),
      writer: writerOf(tokenizer),
      read: (path) => {
        const tokens = tokenizer.encode(readText(path)).subarray(-CONTEXT);
        if (tokens.length === 0) throw new FlatminError('FLATMIN_DATA', `${path} holds no text`);
        return {
          inputs: { data: tokens, shape: [1, tokens.length] },
          answers: ({ data }: Tensor) => {
            const last = data.subarray(-tokenizer.size);
            return classAnswers({ data: last, shape: [1, tokenizer.size] }, namesOf(tokenizer));
          },
        };
      },
    };
  },
};

function tokenizerOf(training: string): Tokenizer {
  const characters = CharacterTokenizer.of(training);
  return characters.size > MOST_CHARACTERS ? new ByteTokenizer() : characters;
}

/** Tokens as they are shown. */
const namesOf = (tokenizer: Tokenizer): string[] =>
  Array.from({ length: tokenizer.size }, (_, token) => JSON.stringify(tokenizer.decode([token])));

/** Nats a token of the test labels by the tokens' frequencies in training, of which each is counted once more. */
function surpriseByFrequency(
  train: { readonly labels: ArrayLike<number>; readonly classes: number },
  test: { readonly labels: ArrayLike<number> },
): number {
  const counts = new Float64Array(train.classes).fill(1);
  for (let i = 0; i < train.labels.length; i++) counts[train.labels[i]] += 1;
  const all = train.labels.length + train.classes;
  let sum = 0;
  for (let i = 0; i < test.labels.length; i++) sum -= Math.log(counts[test.labels[i]] / all);
  return sum / test.labels.length;
}

const writerOf =
  (tokenizer: Tokenizer): Writer =>
  async (model, prompt, options) => {
    const tokens = tokenizer.encode(prompt);
    return tokenizer.decode(await writeTokens(model, tokens, { context: CONTEXT, ...options }));
  };

function drawn(): TextParts {
  const textOf = (split: keyof typeof COUNT) =>
    syntheticSentences({ split, count: COUNT[split] })
      .map(({ words }) => `${words.join(' ')}\n`)
      .join('');
  return {
    name: 'synthetic text',
    train: textOf('train'),
    validation: textOf('validation'),
    test: textOf('test'),
  };
}
