import { FlatminError } from '../errors.ts';
import { readText } from '../files.ts';
import { readConll, type Sentence } from './conll.ts';
import type { Dataset } from './dataset.ts';
import type { Vocabulary } from './vocabulary.ts';

/** To what batches of sentences are padded: few, since each has a program of its own. */
const LENGTHS = [8, 16, 24, 32, 48, 64, 96, 160];

/** What words and tags become. */
export interface Tagging {
  readonly vocabulary: Vocabulary;
  /** By label. */
  readonly tags: readonly string[];
}

/** The tags of sentences, `O` first and the others in order. */
export const tagsOf = (sentences: readonly Sentence[]): string[] => {
  const seen = new Set(sentences.flatMap(({ tags }) => tags));
  seen.delete('O');
  return ['O', ...[...seen].sort()];
};

/** Tokens of sentences, i32 [sentences, steps]: −1 past the end of each, `steps` those of the longest by default. */
export function tokensOf(
  sentences: readonly { readonly words: readonly string[] }[],
  vocabulary: Vocabulary,
  steps = longest(sentences),
): Int32Array {
  const tokens = new Int32Array(sentences.length * steps).fill(-1);
  sentences.forEach(({ words }, i) => {
    words.forEach((word, t) => {
      tokens[i * steps + t] = vocabulary.numberOf(word);
    });
  });
  return tokens;
}

/**
 * Sentences to tag: in CoNLL columns where the file's name ends in `.conll`, or else one a line with blanks between words. `FLATMIN_DATA` where there is none.
 */
export function readSentences(path: string): { readonly words: readonly string[] }[] {
  if (/\.conll$/.test(path)) return readConll(path);
  const lines = readText(path)
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/);
  const sentences = lines.flatMap((line) => {
    const words = line.split(/\s+/).filter((word) => word !== '');
    return words.length === 0 ? [] : [{ words }];
  });
  if (sentences.length > 0) return sentences;
  throw new FlatminError('FLATMIN_DATA', `${path} holds no sentence`);
}

/** Sentences as tokens with a label each; `FLATMIN_DATA` for a tag that is not among the classes. */
export function taggingDataset(
  sentences: readonly Sentence[],
  { vocabulary, tags }: Tagging,
  { name, synthetic }: Pick<Dataset, 'name' | 'synthetic'>,
): Dataset {
  const steps = longest(sentences);
  const numbers = new Map(tags.map((tag, i) => [tag, i]));
  const labels = new Int32Array(sentences.length * steps).fill(-1);
  sentences.forEach((sentence, i) => {
    sentence.tags.forEach((tag, t) => {
      const label = numbers.get(tag);
      if (label === undefined) throw strange(tag, { name, i, t, tags });
      labels[i * steps + t] = label;
    });
  });
  return {
    name,
    synthetic,
    inputs: { data: tokensOf(sentences, vocabulary, steps), shape: [steps] },
    labels,
    labelShape: [steps],
    lengths: LENGTHS,
    classes: tags.length,
    count: sentences.length,
  };
}

/** Words of the longest sentence. */
export const longest = (sentences: readonly { readonly words: readonly string[] }[]): number =>
  sentences.reduce((most, { words }) => Math.max(most, words.length), 0);

interface Place {
  readonly name: string;
  readonly i: number;
  readonly t: number;
  readonly tags: readonly string[];
}

const strange = (tag: string, { name, i, t, tags }: Place) =>
  new FlatminError(
    'FLATMIN_DATA',
    `${name}, sentence ${i + 1}, word ${t + 1}: the tag ${tag} is not among those of the training data, ${tags.join(', ')}`,
  );
