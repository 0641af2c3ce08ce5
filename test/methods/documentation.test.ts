/** docs/optimizers.md has a section and a picture for every method, and the bytes of state that a method really keeps. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  adagrad,
  adam,
  adamw,
  enim,
  lion,
  lionK,
  muon,
  normDescent,
  type Optimizer,
  rmsprop,
  sam,
  sgd,
  shampoo,
  soap,
} from '../../src/index.ts';
import { BoundOptimizer } from '../../src/optim/bound.ts';

const docs = join(resolve(import.meta.dirname, '../..'), 'docs');
const text = readFileSync(join(docs, 'optimizers.md'), 'utf8');
const lr = 0.1;
const MADE: Readonly<Record<string, Optimizer>> = {
  sgd: sgd({ lr }),
  'sgd momentum': sgd({ lr, momentum: 0.9 }),
  adagrad: adagrad({ lr }),
  rmsprop: rmsprop({ lr }),
  adam: adam({ lr }),
  'adam amsgrad': adam({ lr, amsgrad: true }),
  adamw: adamw({ lr }),
  lion: lion({ lr }),
  'lion bf16': lion({ lr, momentumDtype: 'bf16' }),
  lionK: lionK({ lr }),
  enim: enim({ lr }),
  normDescent: normDescent({ lr }),
  'normDescent momentum': normDescent({ lr, momentum: 0.9 }),
  muon: muon({ lr }),
  sam: sam(sgd({ lr })),
  looksam: sam(sgd({ lr }), { every: 5, between: 'look' }),
  shampoo: shampoo({ lr }),
  'shampoo grafted adam': shampoo({ lr, graft: 'adam' }),
  soap: soap({ lr }),
};

const SIZE = 64;

/** Without the counters, which are the same for a model of any size. */
function bytesAParameter(optimizer: Optimizer): number {
  const params = { w: { data: new Float32Array(SIZE * SIZE), shape: [SIZE, SIZE] } };
  const state = new BoundOptimizer(optimizer, params, { device: 'js' }).stateDict();
  const bytes = Object.values(state)
    .filter(({ data }) => data.length >= SIZE)
    .reduce((sum, { data }) => sum + data.byteLength, 0);
  return bytes / SIZE ** 2;
}

describe('docs/optimizers.md', () => {
  it('has the bytes of state', () => {
    const rows = Object.entries(MADE).map(
      ([name, optimizer]) => `| ${name} | ${bytesAParameter(optimizer)} |`,
    );
    expect(text).toContain(`|---|---|\n${rows.join('\n')}\n\n`);
  });

  it('shows the paths that the methods take', async () => {
    const { pictures } = await import(
      new URL('../../docs/examples/paths.js', import.meta.url).href
    );
    const drawn: Record<string, string> = await pictures();
    const shown = [...text.matchAll(/\]\(pictures\/([^)]+)\.svg\)/g)].map(([, name]) => name);
    expect(shown.sort()).toEqual(Object.keys(drawn).sort());
    for (const [name, picture] of Object.entries(drawn)) {
      expect(readFileSync(join(docs, 'pictures', `${name}.svg`), 'utf8') === picture, name).toBe(
        true,
      );
      expect(picture.length, name).toBeLessThan(20_000);
    }
  });

  it('says of every method the same things', () => {
    const [, , ...sections] = text.split(/^## /m);
    expect(sections).toHaveLength(16);
    for (const section of sections) {
      for (const what of ['When', 'Defaults', 'Cost of a step', 'Source']) {
        expect(section).toContain(`- **${what}:** `);
      }
    }
  });
});

describe('options', () => {
  const folder = join(docs, '..', 'src', 'optim');
  const schemas = readdirSync(folder)
    .map((file) => [file, readFileSync(join(folder, file), 'utf8')])
    .filter(([, source]) => source.includes('export type') && /^const schema = /m.test(source));

  it.each(schemas)('of %s say on hover what they are and their default', (_, source) => {
    const end = source.search(/^export type|^ {2}\.(refine|transform)/m);
    const lines = source.slice(0, end).split('\n');
    const from = lines.findIndex((line) => /^const schema|Fields = \{$/.test(line));
    const found = lines
      .map((line, at) => ({ name: /^ {2}(?: {2})?(\w+): \w/.exec(line)?.[1], at }))
      .filter(({ name, at }) => name !== undefined && at > from);
    expect(found.length).toBeGreaterThan(0);
    for (const { name, at } of found) {
      const start = lines.slice(0, at).findLastIndex((line) => line.trim().startsWith('/**'));
      const comment = lines.slice(start, at);
      expect(comment.at(-1)?.trim(), name).toMatch(/\*\/$/);
      if (name !== 'lr') expect(comment.join(' '), name).toMatch(/default/i);
    }
  });
});
