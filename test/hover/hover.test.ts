/** What editors show of exports and options, asked of a language service: `npm ci --prefix test/hover` installs it. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hoverTexts, typescript } from './texts.mjs';

const ts = typescript();
const reason =
  ts === undefined ? ', skipped: npm ci --prefix test/hover installs TypeScript 6' : '';

describe.skipIf(ts === undefined)(`hover texts${reason}`, () => {
  const texts = ts === undefined ? new Map<string, string>() : hoverTexts(ts);

  it('are there for every export and every option', () => {
    expect(texts.size).toBeGreaterThan(400);
    expect([...texts].filter(([, text]) => text === '').map(([name]) => name)).toEqual([]);
  });

  it('are these', async () => {
    const list = [...texts].map(([name, text]) => `${name}: ${text.replace(/\s+/g, ' ')}\n`);
    await expect(list.join('')).toMatchFileSnapshot(join(import.meta.dirname, 'texts.txt'));
  });
});
