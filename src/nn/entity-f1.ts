import { wrongArgument } from '../arguments.ts';
import { countSpans, scoreOf } from '../data/spans.ts';
import type { Numbers } from '../graph/kernel.ts';
import type { CountedMetric, Outputs } from './metric.ts';

/**
 * `f1` of entities as CoNLL's evaluation counts them (see `spanF1`), of logits [sentences, steps, tags] and labels
 * [sentences, steps], −1 past a sentence's end: a word's tag is that of its largest logit. `tags` are in the order of their
 * labels. `FLATMIN_ARGUMENT` for anything but a list of tags.
 */
export function entityF1(tags: readonly string[]): CountedMetric {
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) {
    throw wrongArgument(
      'The tags of entityF1',
      'a list of tags, in the order of their labels',
      tags,
    );
  }
  return {
    name: 'f1',
    counts: (output, labels) => {
      const { predicted, gold, correct } = countSpans(...tagsOf(output, labels, tags));
      return [predicted, gold, correct];
    },
    of: ([predicted, gold, correct]) => scoreOf({ predicted, gold, correct }).f1,
  };
}

/** Predicted and true tags of every sentence. */
function tagsOf(
  { data, shape }: Outputs,
  labels: Numbers,
  tags: readonly string[],
): [string[][], string[][]] {
  const [count, steps, classes] = shape;
  const [predicted, gold]: string[][][] = [[], []];
  for (let row = 0; row < count; row++) {
    const [mine, theirs]: string[][] = [[], []];
    for (let t = row * steps; t < (row + 1) * steps && labels[t] !== -1; t++) {
      mine.push(tags[largest(data.subarray(t * classes, (t + 1) * classes))]);
      theirs.push(tags[labels[t]]);
    }
    predicted.push(mine);
    gold.push(theirs);
  }
  return [predicted, gold];
}

/** The place of the largest number, the first of those. */
export const largest = (numbers: ArrayLike<number>): number => {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] > numbers[best]) best = i;
  return best;
};
