import { checkText } from '../arguments.ts';
import { FlatminError } from '../errors.ts';

/** Classes of words that a vocabulary does not hold, in the order of their numbers. */
export const WORD_SHAPES = ['Xx', 'XX', 'x', '9', '@', '#', 'URL', 'other'] as const;

/** How a word is written, one of `WORD_SHAPES`. */
export type WordShape = (typeof WORD_SHAPES)[number];

/**
 * The shape of a word: `URL` an address, `@` a user's name, `#` a hash tag, `9` what has a digit and no letter, `x` letters
 * that begin small, `XX` two or more capitals alone, `Xx` others that begin with a capital, `other` all else.
 */
export function wordShape(word: string): WordShape {
  checkText('The word of wordShape', word);
  if (/^(https?:\/\/|www\.)./i.test(word)) return 'URL';
  if (/^[@#]./u.test(word)) return word[0] as '@' | '#';
  if (!/\p{L}/u.test(word)) return /\p{N}/u.test(word) ? '9' : 'other';
  const first = /\p{L}/u.exec(word)?.[0] as string;
  if (first === first.toLowerCase()) return 'x';
  const letters = word.match(/\p{L}/gu) as RegExpMatchArray;
  return letters.length > 1 && letters.every((c) => c !== c.toLowerCase()) ? 'XX' : 'Xx';
}

/** Words by number: first a class for each shape, then the words that it knows, most frequent first. */
export class Vocabulary {
  readonly words: readonly string[];
  readonly #numbers: ReadonlyMap<string, number>;

  constructor(words: readonly string[]) {
    this.words = words;
    this.#numbers = new Map(words.map((word, i) => [word, WORD_SHAPES.length + i]));
    if (this.#numbers.size === words.length) return;
    throw new FlatminError('FLATMIN_ARGUMENT', 'A vocabulary expects each word once');
  }

  /** Of the words that stand in the sentences at least `least` times. */
  static of(sentences: Iterable<{ readonly words: readonly string[] }>, least = 2): Vocabulary {
    const counts = new Map<string, number>();
    for (const { words } of sentences) {
      for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    const known = [...counts].filter(([, count]) => count >= least);
    known.sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    return new Vocabulary(known.map(([word]) => word));
  }

  /** Numbers that it gives: rows of an embedding. */
  get size(): number {
    return WORD_SHAPES.length + this.words.length;
  }

  /** The word's number, or that of its shape. */
  numberOf(word: string): number {
    return this.#numbers.get(word) ?? WORD_SHAPES.indexOf(wordShape(word));
  }
}
