import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRuns } from '../../src/cli/read-runs.ts';
import type { KeptEvent } from '../../src/cli/run-events.ts';
import { RunFolder } from '../../src/cli/run-folder.ts';
import { runReport } from '../../src/cli/run-report.ts';
import type { Curves, Section, Table } from '../../src/report/report.ts';

const folder = mkdtempSync(join(tmpdir(), 'flatmin-run-report-'));
afterAll(() => rmSync(folder, { recursive: true }));
const provenance = { command: 'flatmin report', machine: 'm', commit: 'c', date: 'd' };

const START = {
  event: 'start',
  task: 'digits',
  optimizer: 'sgd',
  lr: 0.1,
  weightDecay: 0,
  schedule: 'constant',
  batch: 50,
  epochs: 2,
  seed: 0,
  data: 'mnist',
  synthetic: false,
  examples: 100,
  testExamples: 10,
  backend: 'cpu',
  settings: { lr: 0.1, weightDecay: 0, momentum: 0 },
} as const;
type Start = Omit<Extract<KeptEvent, { event: 'start' }>, 'event'>;

/** A run whose k-th epoch has loss 1/k and takes k + seed seconds. */
function keep(name: string, start: Partial<Start> = {}, epochs = 2, trainLoss?: number): string {
  const path = join(folder, name);
  const run = { ...START, ...start } as Start & { event: 'start' };
  const { optimizer, synthetic, seed } = run;
  const told = Array.from({ length: epochs }, (_, k) => ({
    event: 'epoch' as const,
    optimizer,
    synthetic,
    epoch: k + 1,
    trainLoss: trainLoss ?? 1 / (k + 1),
    testLoss: 2 / (k + 1),
    testAccuracy: 0.9 + k / 100,
    epochSeconds: k + 1 + seed,
  }));
  const result: KeptEvent = {
    event: 'result',
    optimizer,
    synthetic,
    testAccuracy: 0.91,
    testLoss: 1,
    trainLoss: 0.5,
    seconds: 3,
    target: 0.905,
    epochsToTarget: 2,
    secondsToTarget: 3 + 2 * seed,
  };
  new RunFolder(path).begin([run, ...told, ...(epochs === run.epochs ? [result] : [])]);
  return path;
}

const headings = (sections: readonly Section[]) => sections.map(({ heading }) => heading);
const find = <T extends Section>(sections: readonly Section[], heading: string): T =>
  sections.find((section) => section.heading === heading) as T;
const compare = (...paths: string[]) => runReport(readRuns(paths), provenance);

describe('runReport', () => {
  beforeAll(() => {
    for (const seed of [0, 1]) {
      keep(`both/seed${seed}/sgd`, { seed });
      keep(`both/seed${seed}/lion`, { seed, optimizer: 'lion' });
    }
  });

  it('finds runs in folders of folders, and groups seeds', () => {
    const { title, subtitle, sections } = compare(join(folder, 'both'));
    expect(title).toBe('digits on mnist');
    expect(subtitle).toBe('4 runs compared by flatmin');
    expect(headings(sections)).toEqual([
      'Runs',
      'Methods',
      'Accuracy by epoch',
      'Accuracy by seconds',
      'Test loss by epoch',
      'Test loss by seconds',
      'Train loss by epoch',
      'Train loss by seconds',
      'Seconds an epoch',
      'Seconds to 0.905',
      'Every run',
    ]);
    const { rows } = find<Table>(sections, 'Methods');
    expect(rows.map(([method, runs]) => [method, runs])).toEqual([
      ['sgd', 2],
      ['lion', 2],
    ]);
    const { series, target, logY, nearOne } = find<Curves>(sections, 'Accuracy by seconds');
    expect({ target, logY, nearOne }).toEqual({ target: 0.905, nearOne: true });
    expect(series.map(({ method, seed, points }) => [method, seed, points])).toEqual([
      [
        'sgd',
        0,
        [
          [1, 0.9],
          [3, 0.91],
        ],
      ],
      [
        'sgd',
        1,
        [
          [2, 0.9],
          [5, 0.91],
        ],
      ],
      [
        'lion',
        0,
        [
          [1, 0.9],
          [3, 0.91],
        ],
      ],
      [
        'lion',
        1,
        [
          [2, 0.9],
          [5, 0.91],
        ],
      ],
    ]);
    expect(find(sections, 'Seconds an epoch')).toMatchObject({
      values: [
        { method: 'sgd', value: 2, low: 1.5, high: 2.5 },
        { method: 'lion', value: 2 },
      ],
    });
    expect(find(sections, 'Seconds to 0.905')).toMatchObject({
      values: [{ method: 'sgd', value: 4, low: 3, high: 5 }, { method: 'lion' }],
    });
  });

  it('tells runs of one method apart by what they set otherwise', () => {
    const small = keep('small', { lr: 0.01, settings: { ...START.settings, lr: 0.01 } });
    const { series } = find<Curves>(compare(keep('large'), small).sections, 'Test loss by epoch');
    expect(series.map(({ method }) => method)).toEqual(['sgd lr 0.1', 'sgd lr 0.01']);
  });

  it('takes runs that were cut off, diverged, or were written before options were', () => {
    const paths = [
      keep('cut', { seed: 1 }, 1),
      keep('lost', { seed: 2 }, 2, Number.NaN),
      keep('none', { seed: 3 }, 0),
      keep('old', { settings: undefined }),
    ];
    const { sections } = compare(...paths);
    const { rows, columns } = find<Table>(sections, 'Every run');
    const state = columns.findIndex(({ name }) => name === 'state');
    expect(Object.fromEntries(rows.map((row) => [row[0], row[state]]))).toEqual({
      [paths[0]]: 'stopped after 1 of 2 epochs',
      [paths[1]]: 'diverged',
      [paths[2]]: 'stopped after 0 of 2 epochs',
      [paths[3]]: 'finished',
    });
    expect(rows[0].at(-1)).toBe(
      'flatmin train digits --optimizer sgd --epochs 2 --batch 50 --examples 100 --seed 0 --set lr=0.1 --set weightDecay=0',
    );
    expect(find(sections, 'Runs')).toMatchObject({
      paragraphs: [
        expect.anything(),
        '2 of 4 runs did not come to their end; they count as far as they went.',
      ],
    });
    // Neither one that was cut off before nor one of no epochs reached it.
    expect(headings(sections)).not.toContain('Seconds to 0.905');
  });

  it('tells where runs that say so come from', () => {
    const origin = { command: 'flatmin train digits --lr 3', machine: 'a machine', version: '1.2' };
    const { sections } = compare(keep('told', { origin }), keep('untold', { seed: 1 }));
    const { rows } = find<Table>(sections, 'Every run');
    expect(rows[0].at(-1)).toBe(origin.command);
    expect(rows[1].at(-1)).toMatch(/ --seed 1 --set lr=0.1/);
    expect(find(sections, 'Runs')).toMatchObject({
      paragraphs: [expect.anything(), 'Trained on a machine, flatmin 1.2.'],
    });
  });

  it('keeps tasks apart', () => {
    const { title, sections } = compare(
      keep('one'),
      keep('other', { task: 'titanic', data: 'titanic' }),
    );
    expect(title).toBe('digits on mnist, titanic on titanic');
    expect(headings(sections)).toContain('Accuracy by epoch · digits on mnist');
    expect(headings(sections)).toContain('Accuracy by epoch · titanic on titanic');
  });

  it('places evaluations between epochs', () => {
    const path = keep('steps');
    const run = new RunFolder(path);
    const [start, first, ...rest] = run.events();
    const evaluation = {
      event: 'evaluation',
      optimizer: 'sgd',
      synthetic: false,
      step: 3,
      epoch: 2,
      seconds: 1.75,
      testLoss: 1.5,
      metrics: { f1: 0.4 },
    } as const;
    run.begin([start, first, evaluation, ...rest]);
    const { sections } = compare(path);
    expect(find<Curves>(sections, 'Test loss by epoch').series[0].points).toEqual([
      [1, 2],
      [1.5, 1.5],
      [2, 1],
    ]);
    expect(find<Curves>(sections, 'Test loss by seconds').series[0].points).toEqual([
      [1, 2],
      [1.75, 1.5],
      [3, 1],
    ]);
    expect(find<Curves>(sections, 'F1 by epoch').series[0].points).toEqual([[1.5, 0.4]]);
  });

  it('says what it cannot read', () => {
    const missing = join(folder, 'missing');
    const code = 'FLATMIN_DATA';
    expect(() => readRuns([missing])).toThrow(
      expect.objectContaining({
        code,
        message: `${missing} does not exist; help: name folders that flatmin train --out has written`,
      }),
    );
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    expect(() => readRuns([empty])).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining('holds no run: no metrics.jsonl in it'),
      }),
    );
    const damaged = join(folder, 'damaged');
    mkdirSync(damaged);
    writeFileSync(join(damaged, 'metrics.jsonl'), 'nonsense\n');
    expect(() => readRuns([damaged])).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining('line 1 is not JSON') }),
    );
    writeFileSync(join(damaged, 'metrics.jsonl'), '');
    expect(() => readRuns([damaged])).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining('tells of no start') }),
    );
    expect(() => readRuns([join(damaged, 'metrics.jsonl')])).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
