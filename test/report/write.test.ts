import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readVendored } from '../../src/report/vega.ts';
import { type WrittenReport, writeReport } from '../../src/report/write.ts';
import { HOSTILE, sample } from './sample.ts';

const METHODS = ['sgd', 'sam', 'lion', 'kfac', 'shampoo'];
const folder = mkdtempSync(join(tmpdir(), 'flatmin-report-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('writeReport', () => {
  let written: WrittenReport;
  let text: string;
  beforeAll(async () => {
    written = await writeReport(sample(METHODS), folder);
    text = readFileSync(written.page, 'utf8');
  });

  it('writes a page that has everything in it and is small beside the library', () => {
    expect(written.page).toBe(join(folder, 'report.html'));
    const markup = text.replace(/<script.*?<\/script>/gs, '');
    expect(markup.match(/\b(?:src|href)="(?!#)|@import|url\(/)).toBeNull();
    expect(text.length - readVendored('vendor/vega.min.js').length).toBeLessThan(1e6);
    expect(markup.includes('flatmin report &#34;sgd&#34;')).toBe(true);
  });

  it('writes every plot as SVG and PNG, light and dark, and every table as CSV', () => {
    const figures = sample(METHODS).sections.filter(
      ({ kind }) => !['text', 'table', 'claims'].includes(kind),
    );
    expect(written.noPng).toBeUndefined();
    expect(written.pictures.length).toBe(4 * figures.length);
    expect(readdirSync(join(folder, 'plots')).length).toBe(4 * figures.length);
    for (const picture of written.pictures) {
      const bytes = readFileSync(picture);
      expect(bytes.length).toBeGreaterThan(1000);
      if (picture.endsWith('.png')) expect(bytes.toString('latin1', 1, 4)).toBe('PNG');
      else expect(bytes.toString().match(/var\(--|NaN|undefined/)).toBeNull();
    }
    expect(readFileSync(join(folder, 'tables/results.csv'), 'utf8').split('\r\n')).toEqual([
      'method,accuracy,seconds',
      'sgd,0.9,9604',
      'sam,0.95,',
      'lion,0.92,7203',
      'kfac,0.97,6002.5',
      'shampoo,0.94,4802',
      '',
    ]);
  });

  it('leaves nothing of what data hold as markup', async () => {
    const hostile = await writeReport(sample(HOSTILE), join(folder, 'hostile'));
    const page = readFileSync(hostile.page, 'utf8');
    expect(page.includes('<img')).toBe(false);
    expect(page.includes('<script>window')).toBe(false);
    expect(page.match(/<script.*?[\u2028\u2029].*?<\/script>/s)).toBeNull();
    // The data of the plots, the library, the page's own.
    expect(page.match(/<script/g)?.length).toBe(3);
    expect(page.match(/<\/script/g)?.length).toBe(3);
    expect(hostile.noPng).toBeUndefined();
    for (const picture of hostile.pictures.filter((name) => name.endsWith('.svg'))) {
      expect(readFileSync(picture, 'utf8').match(/<script|<img/)).toBeNull();
    }
  });

  it('stays small, of 8,000 runs', async () => {
    const methods = Array.from({ length: 8 }, (_, m) => `method ${m}`);
    const runs = Array.from({ length: 8000 }, (_, i) => ({
      method: methods[i % 8],
      run: `sweep/trials/${i}`,
      seed: i,
      value: Math.sin(i),
    }));
    const points = Array.from({ length: 30 }, (_, k): [number, number] => [k + 1, 1 / (k + 1)]);
    const { page } = await writeReport(
      {
        title: 'Large',
        provenance: [],
        sections: [
          { kind: 'boxes', heading: 'Boxes', x: 'accuracy', values: runs },
          {
            kind: 'table',
            heading: 'Trials',
            columns: [{ name: 'run' }, { name: 'value', numeric: true }],
            rows: runs.map(({ run, value }) => [run, value]),
          },
          ...['a', 'b', 'c'].map((heading) => ({
            kind: 'curves' as const,
            heading,
            x: 'epoch',
            y: 'loss',
            series: runs.map((run) => ({ ...run, points })),
          })),
        ],
      },
      join(folder, 'large'),
      { pictures: false },
    );
    const size = readFileSync(page, 'utf8').length - readVendored('vendor/vega.min.js').length;
    expect(size).toBeLessThan(500_000);
    const lines = readFileSync(join(folder, 'large/tables/trials.csv'), 'utf8').split('\r\n');
    expect(lines).toHaveLength(8002);
  });

  it('says which file cannot be written', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    await expect(writeReport(sample(METHODS), file)).rejects.toMatchObject({ code: 'FLATMIN_IO' });
  });
});
