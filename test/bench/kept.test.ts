import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Kept, keep } from '../../bench/kept.ts';

const folder = mkdtempSync(join(tmpdir(), 'flatmin-kept-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const machine = { cpu: 'A', cores: 2, memoryGiB: 8, platform: 'p', node: 'v20', isa: 'avx2' };

function kept(name: string, baseline: string, seconds: number, cpu = 'A'): Kept {
  const spread = { median: seconds, min: seconds, max: seconds };
  const subjects = [{ subject: baseline, rounds: [seconds], seconds: spread }];
  const sources = { date: String(seconds), flatmin: '0', commit: null, dirty: null };
  const comparisons = [{ name, ratio: 'speedup' as const, subjects, sources }];
  return { suite: 's', title: 't', machine: { ...machine, cpu }, comparisons };
}

test('a comparison takes the place of its older one, beside those of the same machine', () => {
  const file = join(folder, 'results', 's.json');
  const figures = () =>
    (JSON.parse(readFileSync(file, 'utf8')) as Kept).comparisons.map((c) => [
      c.name,
      c.subjects[0].subject,
      c.sources.date,
    ]);
  keep(file, kept('x', 'torch', 1));
  keep(file, kept('x', 'triad', 2));
  keep(file, kept('y', 'torch', 3));
  keep(file, kept('x', 'torch', 4));
  expect(figures()).toEqual([
    ['x', 'torch', '4'],
    ['x', 'triad', '2'],
    ['y', 'torch', '3'],
  ]);
  keep(file, kept('y', 'torch', 5, 'B'));
  expect(figures()).toEqual([['y', 'torch', '5']]);
  expect(readFileSync(join(folder, 'results', 's.md'), 'utf8')).toContain('torch    5.00 s');
});
