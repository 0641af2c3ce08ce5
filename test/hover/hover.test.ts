/** What editors show of exports and options, asked of a language service: `npm ci --prefix test/hover` installs it. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hoverTexts, typescript } from './texts.mjs';

const ts = typescript();
const reason =
  ts === undefined ? ', skipped: npm ci --prefix test/hover installs TypeScript 6' : '';

describe.skipIf(ts === undefined)(`hover texts${reason}`, () => {
  const { texts, optional } =
    ts === undefined ? { texts: new Map<string, string>(), optional: [] } : hoverTexts(ts);

  it('are there for every export and every option', () => {
    expect(texts.size).toBeGreaterThan(400);
    expect([...texts].filter(([, text]) => text === '').map(([name]) => name)).toEqual([]);
  });

  it('name the default of every option that may be left out', () => {
    // What optimizers and losses are made of is no option: it is handed over whole.
    const options = optional.filter(([name]) => !/^\w+\(base\)|\.(optimizer|loss)\./.test(name));
    expect(options.length).toBeGreaterThan(150);
    const silent = options.filter(([, text]) => !/default/i.test(text));
    expect(silent).toEqual([]);
  });

  it('say more than whose options they are', () => {
    expect([...texts].filter(([, text]) => /^What `\w+` takes/.test(text))).toEqual([]);
  });

  it('are these', async () => {
    const list = [...texts].map(([name, text]) => `${name}: ${text.replace(/\s+/g, ' ')}\n`);
    await expect(list.join('')).toMatchFileSnapshot(join(import.meta.dirname, 'texts.txt'));
  });
});
