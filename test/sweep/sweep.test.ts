import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  FlatminError,
  mergeSweeps,
  type SweepOptions,
  sweep,
  type Trial,
} from '../../src/index.ts';

const space = { lr: [1, 2, 3], kind: ['a', 'b'] };
const choice = { by: 'score', best: 'max' } as const;
const options: SweepOptions = { space, seeds: 2, choice, jobs: 2 };

/** Best at lr 2 and kind b; seeds differ by 0.1. */
const score = ({ values, seed }: Trial) => ({
  score: -Math.abs((values.lr as number) - 2) + (values.kind === 'b' ? 0.5 : 0) + 0.1 * seed,
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'flatmin-sweep-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a sweep', () => {
  it('tries every point with every seed and ranks points by the mean', async () => {
    const { ranking, trials } = await sweep(score, options);
    expect(trials).toHaveLength(12);
    expect(ranking[0]).toMatchObject({ values: { lr: 2, kind: 'b' }, done: 2, tried: 2 });
    expect(ranking[0].mean).toBeCloseTo(0.55, 12);
    expect(ranking[0].deviation).toBeCloseTo(0.1 / Math.SQRT2, 12);
    expect(ranking.map(({ mean }) => mean)).toEqual(
      ranking.map(({ mean }) => mean).toSorted((a, b) => b - a),
    );
  });

  it('keeps at most so many trials under way', async () => {
    let [now, most] = [0, 0];
    const work = async (trial: Trial) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return score(trial);
    };
    await sweep(work, { ...options, jobs: 3 });
    expect(most).toBe(3);
  });

  it('records what trials throw, and ranks their points last', async () => {
    const work = (trial: Trial) => {
      if (trial.values.lr === 2 && trial.seed === 1)
        throw new FlatminError('FLATMIN_NUMERICS', 'NaN');
      if (trial.values.lr === 3) throw new Error('no such thing');
      return score(trial);
    };
    const { ranking, trials } = await sweep(work, options);
    const statuses = trials.map(({ status, reason }) => `${status} ${reason ?? ''}`.trim());
    expect(statuses.slice(4)).toEqual([
      'done',
      'diverged NaN',
      'done',
      'diverged NaN',
      ...Array(4).fill('failed no such thing'),
    ]);
    expect(ranking.map(({ values }) => values.lr)).toEqual([1, 1, 2, 2, 3, 3]);
    expect(ranking[4]).toMatchObject({ mean: Number.NaN, done: 0, tried: 2 });
  });

  it('says that measures are numbers', async () => {
    const { trials } = await sweep(() => ({ a: 'b' }) as never, { ...options, space: {} });
    expect(trials[0]).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(
        /What a trial measured must be an object of numbers, got { a: 'b' }/,
      ),
    });
  });

  it('goes on in its folder, running nothing twice', async () => {
    const out = join(folder, 'one');
    const stop = new AbortController();
    const ran: string[] = [];
    const work = (trial: Trial) => {
      ran.push(`${trial.point}/${trial.seed}`);
      return score(trial);
    };
    const stopped = sweep(work, {
      ...options,
      jobs: 1,
      out,
      signal: stop.signal,
      onTrial: (_, { done }) => done === 5 && stop.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'FLATMIN_ABORTED' });
    expect(ran).toHaveLength(5);
    // A line that a kill cut off.
    const journal = join(out, 'trials.jsonl');
    writeFileSync(journal, `${readFileSync(journal, 'utf8')}{"point":2,"se`);
    await expect(sweep(work, { ...options, out })).rejects.toThrow(/already holds a sweep/);
    const { trials } = await sweep(work, { ...options, out, resume: true });
    expect(ran.toSorted()).toEqual([...new Set(ran)].toSorted());
    expect(trials).toHaveLength(12);
    const whole = await sweep(work, { ...options, out: join(folder, 'whole') });
    const bare = (all: typeof trials) => all.map(({ seconds: _, ...trial }) => trial);
    expect(bare(trials)).toEqual(bare(whole.trials));
    // And once more, of which nothing is left.
    const before = ran.length;
    expect(await sweep(work, { ...options, out, resume: true })).toMatchObject({ trials });
    expect(ran).toHaveLength(before);
  });

  it('refuses to go on as another one', async () => {
    const out = join(folder, 'other');
    await sweep(score, { ...options, out });
    await expect(sweep(score, { ...options, seeds: 3, out, resume: true })).rejects.toThrow(
      /of a sweep with seeds 2, not 3/,
    );
    writeFileSync(join(out, 'trials.jsonl'), '{"point":0}\n');
    await expect(sweep(score, { ...options, out, resume: true })).rejects.toThrow(
      /line 1 is no trial, seed: /,
    );
  });

  it('writes a table', async () => {
    const out = join(folder, 'table');
    await sweep(score, { ...options, space: { lr: [2], kind: ['a', '"b",'] }, seeds: 1, out });
    const table = readFileSync(join(out, 'trials.csv'), 'utf8').split('\r\n');
    expect(table[0]).toBe('point,seed,lr,kind,status,score,seconds,reason');
    expect(table[1]).toMatch(/^0,0,2,a,done,0,\d\.\d+(e-\d+)?,$/);
    expect(table[2]).toMatch(/^1,0,2,"""b"",",done,0,/);
  });

  it('may be cut into shards, which make up the whole', async () => {
    const parts = [1, 2, 3].map((i) => join(folder, `part-${i}`));
    for (const [i, out] of parts.entries()) {
      const { trials } = await sweep(score, { ...options, shard: [i + 1, 3], out });
      expect(trials).toHaveLength(4);
    }
    const merged = mergeSweeps(parts, join(folder, 'merged'), choice);
    const whole = await sweep(score, options);
    expect(merged.ranking).toEqual(whole.ranking);
    expect(existsSync(join(folder, 'merged', 'trials.csv'))).toBe(true);
    expect(() => mergeSweeps([parts[0], parts[0]], join(folder, 'twice'), choice)).toThrow(
      /has point 0, seed 0, as another folder has/,
    );
    const other = join(folder, 'other');
    await sweep(score, { ...options, space: { lr: [1] }, out: other });
    expect(() => mergeSweeps([parts[0], other], join(folder, 'mixed'), choice)).toThrow(
      /is of another sweep than/,
    );
    expect(() => mergeSweeps([folder], join(folder, 'none'), choice)).toThrow(/holds no sweep/);
  });

  it.each<[object, RegExp]>([
    [{ seeds: 0 }, /seeds must be a whole number of at least 1/],
    [{ jobs: 1.5 }, /jobs must be/],
    [{ shard: [3, 2] }, /shard must be \[i, n\]/],
    [{ shard: 1 }, /shard must be \[i, n\]/],
    [{ choice: { by: 'x', best: 'most' } }, /best of choice must be one of max, min/],
    [{ choice: undefined }, /options of choice must be an object/],
    [{ seed: 1 }, /Unknown option "seed"; did you mean "seeds"/],
    [{ out: 7 }, /out must be a string/],
  ])('refuses %j', async (wrong, message) => {
    await expect(sweep(score, { ...options, ...wrong } as SweepOptions)).rejects.toThrow(message);
  });
});
