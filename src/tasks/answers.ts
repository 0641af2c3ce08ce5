import { largest } from '../nn/entity-f1.ts';
import type { Tensor } from '../train/predictor.ts';
import type { Answer } from './task.ts';

/** The class of the largest of each row's logits [rows, classes], and its probability. */
export function classAnswers({ data, shape }: Tensor, classes: readonly string[]): Answer[] {
  return Array.from({ length: shape[0] }, (_, row) => {
    const logits = data.subarray(row * classes.length, (row + 1) * classes.length);
    const label = largest(logits);
    const sum = logits.reduce((total, x) => total + Math.exp(x - logits[label]), 0);
    return { answer: classes[label], probability: 1 / sum };
  });
}

/** The tags of the words of each sentence, from logits [sentences, steps, tags]. */
export function tagAnswers(
  { data, shape: [, steps] }: Tensor,
  sentences: readonly { readonly words: readonly string[] }[],
  tags: readonly string[],
): Answer[] {
  return sentences.map(({ words }, row) => ({
    words,
    tags: words.map((_, t) => {
      const at = (row * steps + t) * tags.length;
      return tags[largest(data.subarray(at, at + tags.length))];
    }),
  }));
}
