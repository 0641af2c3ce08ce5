import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Experiment } from '../../src/study/experiment.ts';
import { reportOf } from '../../src/study/report-of.ts';
import { measuredOf, runStudy } from '../../src/study/run-study.ts';
import type { Extent, Study } from '../../src/study/study.ts';
import { StudyFolder } from '../../src/study/study-folder.ts';
import type { StudyOptions } from '../../src/study/study-options.ts';
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

const squares: Experiment<{ readonly power: number }, { value: number; series: number[] }> = {
  name: 'squares',
  title: 'Powers of the seed',
  about: 'Of two powers.',
  sizes: {
    quick: { settings: [{ power: 2 }, { power: 3 }], seeds: 3 },
    full: { settings: [], seeds: 0 },
  },
  run: ({ power }, { seed }) => ({ value: seed ** power / 3, series: [seed, Number.NaN] }),
  sections: (parts) => [
    {
      kind: 'table',
      heading: 'Powers',
      columns: [{ name: 'mean', numeric: true }],
      rows: parts.bySetting().map((own) => [own.parts.mean(({ value }) => value)]),
    },
  ],
  madeUp: (_, chance) => ({ value: chance(), series: [] }),
};

const computed: Study = {
  ...study,
  comparisons: [],
  experiments: [squares],
  claims: [
    {
      text: 'Cubes are above squares',
      published: 'everywhere',
      source: 'nobody',
      judge: (m) => {
        const of = (power: number) => m.parts(squares).where({ power });
        return above(
          of(3).sample('cubes', ({ value }) => value),
          of(2).sample('squares', ({ value }) => value),
        );
      },
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

describe('untimed runs', () => {
  it('have no seconds until the paces of their methods are measured', async () => {
    const folder = new StudyFolder(join(dir, 'untimed'));
    const release = folder.lock();
    const told = nothing();
    await runStudy(study, folder, optionsOf(told, { untimed: true }));
    const before = measuredOf(study, folder);
    expect(before.seconds('tables', 'sgd', 0).values).toEqual([]);
    expect(before.seconds('tables', 'sgd', 2).values).toEqual([Infinity, Infinity]);
    expect(before.epochSeconds('tables', 'sgd').values).toEqual([]);
    const headings = (measured = before) =>
      reportOf(study, measured, folder, { size: 'quick', command: 'x' }).sections.map(
        ({ heading }) => heading,
      );
    expect(headings()).not.toContain('Titanic: test accuracy by training seconds');

    const pacing = { paces: true, resume: true };
    await runStudy(study, folder, optionsOf(told, pacing));
    await runStudy(study, folder, optionsOf(told, pacing));
    release();
    expect(told.begun).toEqual(['tables 0/6', 'pace of tables 0/9', 'pace of tables 6/9']);
    const own = folder.paces.read().filter(({ contender }) => contender === 'sgd');
    expect(own.map(({ round, steps }) => [round, steps])).toEqual([0, 1, 2].map((i) => [i, 5]));
    const [, pace] = own.map(({ seconds }) => seconds / 5).toSorted((a, b) => a - b);
    const after = measuredOf(study, folder);
    const [{ curve }] = after.of('tables', 'sgd');
    expect(curve.map(({ seconds }) => seconds)).toEqual([3, 6, 9].map((step) => step * pace));
    const [{ step }] = curve.slice(2);
    expect(after.seconds('tables', 'sgd', 0).values).toEqual([step * pace, step * pace]);
    expect(after.epochSeconds('tables', 'sgd').values[0]).toBeCloseTo(5 * pace, 12);
    expect(headings(after)).toContain('Titanic: test accuracy by training seconds');
  });
});

describe('an experiment', () => {
  it('yields a part for every setting and seed, goes on after a stop, and is in the report', async () => {
    const folder = new StudyFolder(join(dir, 'experiment'));
    const release = folder.lock();
    const stop = new AbortController();
    const told = nothing();
    const finished = (what: string) => {
      told.finished.push(what);
      if (told.finished.length === 2) stop.abort();
    };
    const options = optionsOf(told, { inProcess: true, jobs: 1 });
    const stopping = { ...options, signal: stop.signal, progress: { begin: () => {}, finished } };
    await expect(runStudy(computed, folder, stopping)).rejects.toThrow('The study was stopped');
    await runStudy(computed, folder, { ...options, resume: true });
    release();
    expect(told.begun).toEqual(['squares 2/6']);
    expect(new Set(told.finished).size).toBe(6);
    expect(told.finished[0]).toBe('{"power":2}, seed 0');
    const measured = measuredOf(computed, folder);
    const [, second] = measured.parts(squares).all;
    expect(second).toMatchObject({ setting: { power: 2 }, seed: 1, entries: { value: 0.333333 } });
    expect(second.entries.series).toEqual([1, Number.NaN]);
    expect(
      measured
        .parts(squares)
        .where({ power: 3 })
        .sample('x', ({ value }) => value),
    ).toEqual({
      name: 'x',
      values: [0, 0.333333, 2.66667],
    });
    const { sections } = reportOf(computed, measured, folder, { size: 'quick', command: 'x' });
    expect(sections.slice(2).map(({ heading }) => heading)).toEqual([
      'Powers of the seed',
      'Powers',
      'What the experiments took',
    ]);
    expect(sections[1]).toMatchObject({ claims: [{ verdict: 'not decided by these runs' }] });
  });

  it('ends the study by what a part throws, or yields that is no number, and keeps nothing of it', async () => {
    const folder = new StudyFolder(join(dir, 'failing'));
    const release = folder.lock();
    const options = optionsOf(nothing(), { inProcess: true, resume: true });
    const broken = (run: Experiment['run']): Study => ({
      ...computed,
      experiments: [{ ...(squares as unknown as Experiment), run }],
    });
    const thrown = broken(() => {
      throw new Error('no luck');
    });
    await expect(runStudy(thrown, folder, options)).rejects.toThrow(
      'squares, {"power":2}, seed 0: no luck',
    );
    const wrong = broken(() => ({ value: 'much' }) as never);
    await expect(runStudy(wrong, folder, options)).rejects.toThrow(
      /What a part of squares yields must be an object of numbers and arrays of them/,
    );
    release();
    expect(folder.parts('squares').read()).toEqual([]);
  });
});
