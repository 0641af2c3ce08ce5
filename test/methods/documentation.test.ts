/**
 * docs/optimizers.md: the table of methods comes from the catalogue, with the bytes of state that each really keeps, which
 * `npx vitest run test/methods/documentation.test.ts -u` writes anew; sections and pictures are whole.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lion, normDescent, type Optimizer, shampoo } from '../../src/index.ts';
import * as catalogue from '../../src/optim/catalogue.ts';
import type { Entry } from '../../src/optim/variants.ts';
import { BoundOptimizer } from '../../src/step/bound.ts';

const docs = join(resolve(import.meta.dirname, '../..'), 'docs');
const file = join(docs, 'optimizers.md');
const text = readFileSync(file, 'utf8');
const lr = 0.1;
/** What keeps another state than the method's variants. */
const OTHERS: Readonly<Record<string, Optimizer>> = {
  'lion bf16': lion({ lr, momentumDtype: 'bf16' }),
  'normDescent momentum': normDescent({ lr, momentum: 0.9 }),
  'shampoo grafted adam': shampoo({ lr, graft: 'adam' }),
};

const SIZE = 64;
const MATRIX = 'hidden.weight';

/** Of a matrix inside a network; K-FAC's are those of a layer, which arrays do not tell. */
function bytesAParameter(optimizer: Optimizer): number | string {
  if (optimizer.Bound !== undefined) return 'below';
  const matrix = () => ({ data: new Float32Array(SIZE * SIZE), shape: [SIZE, SIZE] });
  const params = { [MATRIX]: matrix(), 'head.weight': matrix() };
  const bound = new BoundOptimizer(optimizer, params, { device: 'js' });
  const bytes = Object.entries(bound.stateDict())
    .filter(([name, { data }]) => name.includes(MATRIX) && data.length >= SIZE)
    .reduce((sum, [, { data }]) => sum + data.byteLength, 0);
  return bytes / SIZE ** 2;
}

const isEntry = (method: object): method is Entry => 'variants' in method;

/** A row for each name on the command line, in the order of the titles. */
function table(): string {
  const entries = Object.values<object>(catalogue).filter(isEntry);
  const named = entries
    .sort((a, b) => (a.title < b.title ? -1 : 1))
    .flatMap(({ title, equation, variants }) =>
      Object.entries(variants).map(([name, variant]) => [
        title,
        `\`${name}\``,
        equation,
        bytesAParameter(variant.make()),
      ]),
    );
  const others = Object.entries(OTHERS).map(([name, made]) => [
    name,
    '',
    '',
    bytesAParameter(made),
  ]);
  const rows = [...named, ...others].map((cells) => `| ${cells.join(' | ')} |\n`);
  return `| method | \`--optimizer\` | a step | bytes a parameter |\n|---|---|---|---|\n${rows.join('')}`;
}

const TABLE = /^\| method \| (?:.*\n)(?:\|.*\n)*/m;

describe('docs/optimizers.md', () => {
  it('has every method of the catalogue, and the bytes of state', async () => {
    expect(text).toMatch(TABLE);
    const written = text.replace(TABLE, table);
    await expect(written).toMatchFileSnapshot(file);
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
      expect(picture.length, name).toBeLessThan(40_000);
    }
  });

  it('says of every method the same things', () => {
    const [, , ...sections] = text.split(/^## /m);
    expect(sections).toHaveLength(17);
    for (const section of sections) {
      for (const what of ['When', 'Defaults', 'Cost of a step', 'Source']) {
        expect(section).toContain(`- **${what}:** `);
      }
    }
  });
});
