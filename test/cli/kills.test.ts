/**
 * A sweep and a study, killed at random moments and resumed, end with the tables of those that were not.
 * `FLATMIN_KILLS=10 npx vitest run test/cli/kills.test.ts` kills each ten times; by default it is twice.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CompiledCommand } from './command.ts';

const KILLS = Number(process.env.FLATMIN_KILLS ?? 2);

const command = new CompiledCommand();
afterAll(() => rmSync(command.folder, { recursive: true }));

/** The same command over and over, killed so many times when it has worked for a while. */
async function killed(args: readonly string[], until: () => number): Promise<number> {
  for (let kills = 0; ; kills++) {
    const more = kills < KILLS;
    // At a moment between the next finished piece of work and the one after it.
    const done = until() + (more ? 1 : Number.POSITIVE_INFINITY);
    let timer: NodeJS.Timeout | undefined;
    const { code, signal, stderr } = await command.start([...args, '--resume'], (_, child) => {
      timer ??= setInterval(() => {
        if (until() >= done) setTimeout(() => child.kill('SIGKILL'), Math.random() * 100);
      }, 5);
    });
    clearInterval(timer);
    if (signal === 'SIGKILL') continue;
    expect(code, stderr).toBe(0);
    return kills;
  }
}

const linesOf = (path: string) => {
  const file = join(command.folder, path);
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};

describe(`killed ${KILLS} times`, () => {
  it('a sweep has the same trials', { timeout: 300_000 }, async () => {
    const args = [
      ...['sweep', 'titanic', '--synthetic', '--examples', '200', '--epochs', '10', '--seeds', '3'],
      ...['--grid', 'lr=log:1e-4..1e-2:4', '--grid', 'weightDecay=0,0.1'],
    ];
    const trials = (out: string) =>
      linesOf(`${out}/trials.jsonl`)
        .map((line) => JSON.parse(line))
        .map(({ seconds: _, measures: { trainSeconds: __, ...measures }, ...trial }) => ({
          ...trial,
          measures,
        }))
        .sort((a, b) => a.point - b.point || a.seed - b.seed);
    const kills = await killed(
      [...args, '--out', 'killed'],
      () => linesOf('killed/trials.jsonl').length,
    );
    expect(kills).toBe(KILLS);
    await command.run([...args, '--out', 'whole']);
    expect(trials('killed')).toHaveLength(24);
    expect(trials('killed')).toEqual(trials('whole'));
  });

  it('a study has the same runs', { timeout: 600_000 }, async () => {
    const args = [
      'study',
      'five-methods',
      '--quick',
      '--synthetic',
      '--only',
      'digits',
      '--seeds',
      '1',
    ];
    const runs = (out: string) =>
      linesOf(`${out}/runs.jsonl`)
        .map((line) => JSON.parse(line))
        .map(({ provenance: _, curve, epochs, ...run }) => ({
          ...run,
          curve: curve.map(({ seconds: _, ...point }: { seconds: number }) => point),
          epochs: epochs.map(({ seconds: _, ...epoch }: { seconds: number }) => epoch),
        }));
    const kills = await killed(
      [...args, '--out', 'study'],
      () => linesOf('study/runs.jsonl').length,
    );
    expect(kills).toBe(KILLS);
    await command.run([...args, '--out', 'whole-study']);
    expect(runs('study')).toHaveLength(13);
    expect(runs('study')).toEqual(runs('whole-study'));
  });
});
