import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findText, loadText } from '../../src/data/text.ts';
import { tokenizerFrom } from '../../src/data/tokenizer.ts';
import { ByteTokenizer, CharacterTokenizer, tokenWindows } from '../../src/index.ts';

const MIXED = 'Zoë: “naïve”\r\n\tabc 🙂🙂 \0';
const throughJson = (tokenizer: CharacterTokenizer | ByteTokenizer) =>
  tokenizerFrom(JSON.parse(JSON.stringify(tokenizer)));

describe('characters', () => {
  it('come back as they were, before and after they are saved', () => {
    const tokenizer = CharacterTokenizer.of(MIXED);
    const tokens = tokenizer.encode(MIXED);
    expect(tokens).toHaveLength([...MIXED].length);
    for (const each of [tokenizer, throughJson(tokenizer)]) {
      expect(each.size).toBe(new Set(MIXED).size + 1);
      expect(each.encode(MIXED)).toEqual(tokens);
      expect(each.decode(tokens)).toBe(MIXED);
    }
  });

  it('are numbered from 1 by their code points; unknown ones are 0 and U+FFFD', () => {
    const tokenizer = CharacterTokenizer.of('cab🙂bac\uFFFD');
    expect(tokenizer.characters).toBe('abc🙂');
    expect([...tokenizer.encode('b🙂xa🙃\uFFFD')]).toEqual([2, 4, 0, 1, 0, 0]);
    expect(tokenizer.decode([2, 0, 4])).toBe('b\uFFFD🙂');
    expect(tokenizer.encode('')).toHaveLength(0);
    expect(tokenizer.decode([])).toBe('');
  });

  it('stand once each', () => {
    expect(() => new CharacterTokenizer('aba')).toThrow(/each once/);
    expect(() => new CharacterTokenizer('a\uFFFD')).toThrow(
      expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }),
    );
  });
});

describe('bytes', () => {
  it('are those of UTF-8, and come back as the text', () => {
    const tokenizer = throughJson(new ByteTokenizer());
    expect(tokenizer.size).toBe(256);
    expect([...tokenizer.encode('aé🙂')]).toEqual([97, 195, 169, 240, 159, 153, 130]);
    const marked = `\uFEFF${MIXED}`;
    expect(tokenizer.decode(tokenizer.encode(marked))).toBe(marked);
    expect(tokenizer.decode([97, 195])).toBe('a\uFFFD');
  });
});

it.each([new ByteTokenizer(), CharacterTokenizer.of('abc')])(
  '%s decodes its own tokens alone',
  (t) => {
    for (const token of [-1, t.size, 0.5, NaN]) {
      expect(() => t.decode([0, token])).toThrow(
        `Token 1 must be a whole number from 0 to ${t.size - 1}`,
      );
    }
  },
);

describe('windows', () => {
  const tokens = Int32Array.from({ length: 10 }, (_, i) => i);
  const options = { context: 3, vocabulary: 10, name: 'ten' };

  it('stand side by side, each token with the next as its label', () => {
    const { inputs, labels, count, labelShape } = tokenWindows(tokens, options);
    expect([count, inputs.shape, labelShape]).toEqual([3, [3], [3]]);
    expect([...inputs.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...labels]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('overlap by a stride, and leave out what is shorter than one', () => {
    const { inputs, labels, count } = tokenWindows(tokens.subarray(0, 8), {
      ...options,
      stride: 2,
    });
    expect(count).toBe(3);
    expect([...inputs.data]).toEqual([0, 1, 2, 2, 3, 4, 4, 5, 6]);
    expect([...labels]).toEqual([1, 2, 3, 3, 4, 5, 5, 6, 7]);
    expect(tokenWindows(tokens, { ...options, context: 9 }).count).toBe(1);
  });

  it('are refused of a text that holds none', () => {
    for (const context of [10, 1e9]) {
      expect(() => tokenWindows(tokens, { ...options, context })).toThrow(
        `ten: windows of ${context} tokens and the one after need at least ${context + 1}, got 10`,
      );
    }
    expect(() => tokenWindows(tokens, { ...options, stride: 0 })).toThrow(/stride of tokenWindows/);
  });
});

describe('a text in a folder', () => {
  const dir = mkdtempSync(join(tmpdir(), 'flatmin-text-'));
  afterAll(() => rmSync(dir, { recursive: true }));

  it('falls into parts that together are all of it, and cut no character', () => {
    expect(findText(dir)).toBeUndefined();
    expect(() => loadText(dir)).toThrow(/flatmin data fetch text/);
    mkdirSync(join(dir, 'text'));
    const text = `a${'🙂'.repeat(500)}`;
    writeFileSync(join(dir, 'text', 'input.txt'), text);
    const { name, train, validation, test } = loadText(dir);
    expect(name).toBe('input');
    expect(train + validation + test).toBe(text);
    expect([train, validation, test].every((part) => !/\p{Surrogate}/u.test(part))).toBe(true);
    expect(train.length / text.length).toBeCloseTo(0.9, 2);
    expect(test.length / text.length).toBeCloseTo(0.05, 2);
  });

  it('is UTF-8', () => {
    writeFileSync(join(dir, 'text', 'input.txt'), Uint8Array.of(97, 255));
    expect(() => loadText(dir)).toThrow(/it is not text in UTF-8/);
  });
});
