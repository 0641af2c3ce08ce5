import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportOf } from '../../src/study/report-of.ts';
import { measuredOf, runStudy, type StudyOptions } from '../../src/study/run-study.ts';
import type { Extent, Study } from '../../src/study/study.ts';
import { StudyFolder } from '../../src/study/study-folder.ts';
import { above } from '../../src/study/verdict.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-study-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const extent: Extent = {
  epochs: 2,
  seeds: 2,
  evaluateEvery: 3,
  examples: 160,
  testExamples: 64,
  selection: { points: 2, epochs: 1, seeds: 1 },
};

const study: Study = {
  name: 'small',
  title: 'A small study',
  about: ['Of nothing.'],
  grids: [],
  comparisons: [
    {
      name: 'tables',
      title: 'Titanic',
      task: 'titanic',
      schedule: 'cosine',
      target: 'tuned',
      sizes: { quick: extent, full: extent },
      contenders: [
        { name: 'sgd', method: 'sgd', settings: { lr: 0.1 }, baseline: true },
        { name: 'adamw', method: 'adamw', settings: { lr: 0.01 }, baseline: true },
        { name: 'wild', method: 'sgd', settings: { lr: 1e30 } },
      ],
    },
  ],
  claims: [
    {
      text: 'AdamW ends above what is wild',
      published: 'nowhere',
      source: 'nobody',
      judge: (m) => above(m.final('tables', 'adamw'), m.final('tables', 'wild')),
    },
  ],
};

interface Told {
  readonly begun: string[];
  readonly finished: string[];
}

function optionsOf(told: Told, given: Partial<StudyOptions> = {}): StudyOptions {
  return {
    size: 'quick',
    select: false,
    dirOf: () => undefined,
    device: 'js',
    threads: 1,
    resume: false,
    signal: new AbortController().signal,
    progress: {
      begin: (part, done, of) => told.begun.push(`${part} ${done}/${of}`),
      finished: (what) => told.finished.push(what),
    },
    ...given,
  };
}

const nothing = (): Told => ({ begun: [], finished: [] });

describe('a study', () => {
  it('runs every contender with every seed, and what diverges is recorded', async () => {
    const folder = new StudyFolder(join(dir, 'whole'));
    const release = folder.lock();
    const told = nothing();
    await runStudy(study, folder, optionsOf(told));
    release();
    expect(told.begun).toEqual(['tables 0/6']);
    const seeds = [0, 1].flatMap((seed) =>
      ['sgd', 'adamw', 'wild'].map((name) => `${name}, seed ${seed}`),
    );
    expect(told.finished).toEqual(seeds);
    const runs = folder.runs.read();
    expect(runs.map(({ diverged }) => diverged)).toEqual([false, false, true, false, false, true]);
    const [first] = runs;
    expect(first.curve.map(({ step, epoch }) => [step, epoch])).toEqual([
      [3, 0.6],
      [6, 1.2],
      [9, 1.8],
    ]);
    expect(first.epochs).toHaveLength(2);
    expect(first.settings).toMatchObject({ lr: 0.1, momentum: 0 });
    expect(first.provenance).toMatchObject({ threads: 1, backend: 'js' });
    const measured = measuredOf(study, folder);
    const best = Math.max(
      ...['sgd', 'adamw'].map((name) => {
        const [a, b] = measured.final('tables', name).values;
        return (a + b) / 2;
      }),
    );
    expect(measured.target('tables')).toBeCloseTo(best - 0.01, 12);
    const report = reportOf(study, measured, folder, { size: 'quick', command: 'flatmin' });
    expect(report.sections[1]).toMatchObject({
      kind: 'claims',
      claims: [{ verdict: 'borne out', text: 'AdamW ends above what is wild' }],
    });
    expect(readdirSync(join(dir, 'whole')).filter((name) => name.endsWith('safetensors'))).toEqual(
      [],
    );
  });

  it('goes on after a stop to the same runs, and runs nothing twice', async () => {
    const folder = new StudyFolder(join(dir, 'stopped'));
    const release = folder.lock();
    const stop = new AbortController();
    const told = nothing();
    const stopping: StudyOptions = {
      ...optionsOf(told, { signal: stop.signal }),
      progress: {
        begin: () => {},
        finished: (what) => {
          told.finished.push(what);
          if (told.finished.length === 2) stop.abort();
        },
      },
    };
    await expect(runStudy(study, folder, stopping)).rejects.toMatchObject({
      code: 'FLATMIN_ABORTED',
    });
    await expect(runStudy(study, folder, optionsOf(told))).rejects.toThrow(/already holds a study/);
    const { finished } = told;
    await runStudy(study, folder, optionsOf(told, { resume: true }));
    release();
    expect(finished).toEqual([...new Set(finished)]);
    const runs = (name: string) =>
      new StudyFolder(join(dir, name)).runs.read().map(({ provenance: _, ...run }) => ({
        ...run,
        curve: run.curve.map((point) => ({ ...point, seconds: 0 })),
        epochs: run.epochs.map((epoch) => ({ ...epoch, seconds: 0 })),
      }));
    expect(runs('stopped')).toEqual(runs('whole'));
    await expect(
      runStudy(study, folder, optionsOf(nothing(), { resume: true, size: 'full' })),
    ).rejects.toThrow(/is of a study with size "quick", not "full"/);
  });
});
