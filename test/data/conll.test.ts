import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConll, spanF1, Vocabulary, WORD_SHAPES, wordShape } from '../../src/index.ts';

const dir = mkdtempSync(join(tmpdir(), 'flatmin-conll-'));
afterAll(() => rmSync(dir, { recursive: true }));

function read(text: string | Uint8Array) {
  const file = join(dir, 'words.conll');
  writeFileSync(file, text);
  return readConll(file);
}

const TWO = [
  { words: ['Ada', 'Lovelace', 'wrote'], tags: ['B-PER', 'I-PER', 'O'] },
  { words: ['London'], tags: ['B-LOC'] },
];

describe('readConll', () => {
  it.each([
    ['tabs', 'Ada\tB-PER\nLovelace\tI-PER\nwrote\tO\n\nLondon\tB-LOC\n'],
    ['blanks', 'Ada B-PER\nLovelace   I-PER\nwrote O\n\nLondon B-LOC'],
    [
      'CRLF and a byte order mark',
      '\uFEFFAda\tB-PER\r\nLovelace\tI-PER\r\nwrote\tO\r\n\r\nLondon\tB-LOC\r\n',
    ],
    [
      'a lone tab between sentences',
      'Ada\tB-PER\nLovelace\tI-PER\nwrote\tO\n\t\nLondon\tB-LOC\n\t\n',
    ],
    [
      'four columns and documents',
      '-DOCSTART- -X- -X- O\n\nAda NNP B-NP B-PER\nLovelace NNP I-NP I-PER\nwrote VBD B-VP O\n\n-DOCSTART- -X- O O\n\nLondon NNP B-NP B-LOC\n',
    ],
    ['IOB1', 'Ada I-PER\nLovelace I-PER\nwrote O\n\nLondon I-LOC\n'],
  ])('reads %s', (_, text) => {
    expect(read(text)).toEqual(TWO);
  });

  it('takes neighbours of IOB1 apart where B- or another type says so', () => {
    const [{ tags }] = read('a I-PER\nb B-PER\nc I-PER\nd I-LOC\ne O\nf I-LOC\n');
    expect(tags).toEqual(['B-PER', 'B-PER', 'I-PER', 'B-LOC', 'O', 'B-LOC']);
  });

  it('keeps words with blanks where tabs part the columns', () => {
    expect(read('New York\tB-LOC\n')[0].words).toEqual(['New York']);
  });

  it.each([
    ['three columns', 'a O\n\nb x O\n', /line 3, column 3: expected two or four columns.*"b x O"/],
    ['another number of columns', 'a O\nb N N O\n', /line 2, column 2: expected 2 columns/],
    ['a tag of no scheme', 'a O\nb S-PER\n', /line 2, column 2: expected a tag.*"b S-PER"/],
    ['a word alone', 'a\n', /line 1, column 1: expected two or four columns/],
    ['a tag alone', '\tO\n', /line 1, column 1: expected a word/],
    ['nothing', '\n\n', /holds no sentence/],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0x41, 0), /is not text in UTF-8/],
  ])('says where %s stands', (_, text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'FLATMIN_DATA' }));
  });

  it('names a file that is not there', () => {
    expect(() => readConll(join(dir, 'none'))).toThrow(/Cannot read .*none/);
  });
});

describe('spanF1', () => {
  it('counts entities whose type, begin and end are right', () => {
    const gold = [
      ['B-PER', 'I-PER', 'O', 'B-LOC'],
      ['B-ORG', 'O'],
    ];
    const predicted = [
      ['B-PER', 'I-PER', 'O', 'B-ORG'],
      ['B-ORG', 'I-ORG'],
    ];
    // Of three entities predicted, the first alone is right.
    expect(spanF1(predicted, gold)).toEqual({
      ...{ predicted: 3, gold: 3, correct: 1 },
      ...{ precision: 1 / 3, recall: 1 / 3, f1: 1 / 3 },
    });
  });

  it('begins an entity at I- after O and where the type changes, as the CoNLL rule does', () => {
    const gold = [['O', 'B-PER', 'B-LOC', 'I-LOC']];
    expect(spanF1([['O', 'I-PER', 'I-LOC', 'I-LOC']], gold).f1).toBe(1);
    expect(spanF1([['O', 'I-PER', 'I-PER', 'I-PER']], gold).correct).toBe(0);
  });

  it('is 0 where nothing was predicted or there is nothing to find', () => {
    expect(spanF1([['O', 'O']], [['B-PER', 'O']])).toMatchObject({
      f1: 0,
      precision: 0,
      recall: 0,
    });
    expect(spanF1([['B-PER', 'O']], [['O', 'O']])).toMatchObject({ f1: 0, predicted: 1, gold: 0 });
    expect(() => spanF1([['O']], [['O', 'O']])).toThrow(/a predicted tag for every true one/);
  });
});

describe('Vocabulary', () => {
  it('tells the shapes of words apart', () => {
    const words = ['Ada', 'NATO', 'wrote', '3,141.5', '@ada', '#maths', 'https://a.b', '...'];
    expect(words.map(wordShape)).toEqual([...WORD_SHAPES]);
    expect(
      ['A', "O'Neill", 'iPhone', 'www.a.b', '@', '1st', 'Éa', '東京', 'U.S.'].map(wordShape),
    ).toEqual(['Xx', 'Xx', 'x', 'URL', 'other', 'x', 'Xx', 'x', 'XX']);
  });

  it('knows words that stand there twice, and the shape of all others', () => {
    const sentences = [{ words: ['b', 'a', 'b', 'Rare'] }, { words: ['a', 'b', 'NATO'] }];
    const vocabulary = Vocabulary.of(sentences);
    expect(vocabulary.words).toEqual(['b', 'a']);
    expect(vocabulary.size).toBe(10);
    expect(['b', 'a', 'Rare', 'NATO', 'never'].map((w) => vocabulary.numberOf(w))).toEqual([
      8, 9, 0, 1, 2,
    ]);
    expect(() => new Vocabulary(['a', 'a'])).toThrow(/each word once/);
  });
});
