import { checkText } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { readText } from '../files.ts';

/** Words with a tag each: `O`, or `B-` or `I-` before the type of an entity, by the scheme IOB2. */
export interface Sentence {
  readonly words: readonly string[];
  readonly tags: readonly string[];
}

/**
 * Reads a file of CoNLL columns in UTF-8: a token a line, the word first and its tag last, two or four columns parted by
 * tabs or blanks; empty lines, lines of white space and `-DOCSTART-` lines end a sentence. Tags by IOB1 and IOB2 are told
 * apart by the CoNLL rule, that an entity begins at `B-`, after `O` and where the type changes, and come out as IOB2.
 * `FLATMIN_DATA` names file, line and column of what is not so.
 */
export function readConll(file: string): Sentence[] {
  checkText('The file of readConll', file);
  return parseConll(readText(file), file);
}

/** The same from text; `source` is what errors call it. */
export function parseConll(text: string, source = 'the text'): Sentence[] {
  checkText('The text of parseConll', text);
  checkText('The source of parseConll', source);
  const sentences: Sentence[] = [];
  let words: string[] = [];
  let tags: string[] = [];
  let columns = 0;
  const finish = () => {
    if (words.length > 0) sentences.push({ words, tags: toIob2(tags) });
    words = [];
    tags = [];
  };
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('-DOCSTART-')) {
      finish();
      continue;
    }
    const fields = fieldsOf(line);
    const fail = (column: number, expected: string) => {
      const found = JSON.stringify(line.length > 80 ? `${line.slice(0, 80)}…` : line);
      return new FlatminError(
        'FLATMIN_DATA',
        `${source}, line ${i + 1}, column ${column}: expected ${expected}, got ${found}`,
      );
    };
    columns ||= fields.length;
    if (fields.length !== 2 && fields.length !== 4) {
      throw fail(
        Math.min(fields.length, 4),
        'two or four columns, the word first and its tag last',
      );
    }
    if (fields.length !== columns) {
      throw fail(Math.min(fields.length, columns), `${columns} columns, as in the lines before`);
    }
    if (fields[0] === '') throw fail(1, 'a word');
    const tag = fields[columns - 1];
    if (!TAG.test(tag)) throw fail(columns, 'a tag: O, or B- or I- and a type');
    words.push(fields[0]);
    tags.push(tag);
  }
  finish();
  if (sentences.length > 0) return sentences;
  throw new FlatminError('FLATMIN_DATA', `${source} holds no sentence`);
}

const TAG = /^(O|[BI]-\S+)$/;

/** Where a tab parts columns, blanks belong to the words. */
const fieldsOf = (line: string): string[] =>
  line.includes('\t') ? line.split('\t').map((field) => field.trim()) : line.trim().split(/ +/);

/** Every entity's first tag as `B-`. */
const toIob2 = (tags: readonly string[]): string[] =>
  tags.map((tag, i) => (beginsEntity(tag, tags[i - 1] ?? 'O') ? `B-${tag.slice(2)}` : tag));

/** By the CoNLL rule. */
export const beginsEntity = (tag: string, before: string): boolean =>
  tag !== 'O' && (tag.startsWith('B-') || before === 'O' || before.slice(2) !== tag.slice(2));
