import { wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { beginsEntity } from './conll.ts';

/** Entities found, and how well: exact matches of type, begin and end alone count. */
export interface SpanScore {
  /** Share of the predicted entities that are right; 0 where none was predicted. */
  readonly precision: number;
  /** Share of the true entities that were found; 0 where there is none. */
  readonly recall: number;
  /** 2 · precision · recall / (precision + recall), 0 where both are 0. */
  readonly f1: number;
  readonly predicted: number;
  readonly gold: number;
  readonly correct: number;
}

/**
 * Entity-level scores of predicted tags beside the true ones, a list of tags a sentence, as CoNLL's evaluation counts them:
 * an entity begins at `B-`, after `O` and where the type changes, and goes on to the next that does not continue it.
 * `FLATMIN_ARGUMENT` where the lengths differ.
 */
export function spanF1(
  predicted: readonly (readonly string[])[],
  gold: readonly (readonly string[])[],
): SpanScore {
  for (const [name, tags] of Object.entries({ predicted, gold })) {
    if (isListOf(tags, (row) => isListOf(row, (tag) => typeof tag === 'string'))) continue;
    throw wrongArgument(`${name} of spanF1`, 'a list of lists of tags', tags);
  }
  const same =
    predicted.length === gold.length && predicted.every((p, i) => p.length === gold[i].length);
  if (!same) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      'spanF1 expects a predicted tag for every true one: sentences or lengths differ',
    );
  }
  return scoreOf(countSpans(predicted, gold));
}

/** Entities of predicted and true tags, and how many are in both. */
export type SpanCounts = Pick<SpanScore, 'predicted' | 'gold' | 'correct'>;

export function countSpans(
  predicted: readonly (readonly string[])[],
  gold: readonly (readonly string[])[],
): SpanCounts {
  const counts = { predicted: 0, gold: 0, correct: 0 };
  predicted.forEach((tags, i) => {
    const mine = spansOf(tags);
    const theirs = new Set(spansOf(gold[i]));
    counts.predicted += mine.length;
    counts.gold += theirs.size;
    counts.correct += mine.filter((span) => theirs.has(span)).length;
  });
  return counts;
}

export function scoreOf(counts: SpanCounts): SpanScore {
  const { predicted, gold, correct } = counts;
  const precision = predicted === 0 ? 0 : correct / predicted;
  const recall = gold === 0 ? 0 : correct / gold;
  const f1 = correct === 0 ? 0 : (2 * precision * recall) / (precision + recall);
  return { precision, recall, f1, ...counts };
}

/** The entities of a sentence as `type begin end`. */
function spansOf(tags: readonly string[]): string[] {
  const spans: string[] = [];
  let begin = -1;
  for (let i = 0; i <= tags.length; i++) {
    const tag = tags[i] ?? 'O';
    const before = tags[i - 1] ?? 'O';
    const starts = beginsEntity(tag, before);
    if (begin !== -1 && (tag === 'O' || starts)) {
      spans.push(`${before.slice(2)} ${begin} ${i}`);
      begin = -1;
    }
    if (starts) begin = i;
  }
  return spans;
}

const isListOf = (list: unknown, holds: (item: unknown) => boolean): boolean =>
  Array.isArray(list) && list.every(holds);
