import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CompiledCommand } from './command.ts';

const command = new CompiledCommand();
afterAll(() => rmSync(command.folder, { recursive: true }));

const lion = ['study', 'lion-grid', '--quick', '--synthetic', '--only', 'titanic'];

describe('flatmin study', () => {
  it('runs grids, goes on after an interrupt, and names its report', async () => {
    const stopped = await command.run(lion, { signal: 'SIGINT', at: /titanic: 5\d of 54 left/ });
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/go on with: flatmin study lion-grid .* --resume\n$/);
    const { code, stdout, stderr } = await command.run([...lion, '--resume']);
    expect(stderr).toMatch(/titanic: \d+ of 54 left\n/);
    expect(code).toBe(0);
    const page = 'studies/lion-grid/report/report.html';
    expect(stdout).toMatch(
      /^Lion’s hyperparameters on three tables: \d+ borne out, \d+ not borne out, \d+ not decided by these runs\n/,
    );
    expect(stdout.split('\n')[1]).toBe(page);
    const text = readFileSync(join(command.folder, page), 'utf8');
    expect(text).toContain('flatmin study lion-grid --quick --only titanic --synthetic');
    const whole = await command.run([...lion, '--out', 'studies/whole']);
    expect(whole.stdout.split('\n')[0]).toBe(stdout.split('\n')[0]);
    const table = (study: string) => {
      const path = join(command.folder, 'studies', study, 'grids/titanic/trials.csv');
      return readFileSync(path, 'utf8').replaceAll(/,\d[\d.e-]*,$/gm, '');
    };
    const timeless = (text: string) =>
      text.split('\r\n').map((line) => line.split(',').toSpliced(7, 1).slice(0, -2));
    expect(timeless(table('lion-grid'))).toEqual(timeless(table('whole')));
  });

  it('tunes methods on validation rows and runs them so', async () => {
    const args = ['study', 'five-methods', '--quick', '--synthetic', '--only', 'digits'];
    const { code, stderr } = await command.run([...args, '--select', '--seeds', '1']);
    expect(stderr).toMatch(/selection of adamw for digits: \d of 4 left/);
    expect(code).toBe(0);
    const folder = join(command.folder, 'studies/five-methods');
    const chosen = JSON.parse(readFileSync(join(folder, 'chosen.json'), 'utf8'));
    expect(Object.keys(chosen.digits.kfac).toSorted()).toEqual([
      ...['damping', 'klClip', 'lr', 'weightDecay'],
    ]);
    const runs = readFileSync(join(folder, 'runs.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const settings = (name: string) => runs.find(({ contender }) => contender === name).settings;
    expect(settings('kfac')).toMatchObject(chosen.digits.kfac);
    expect(settings('kfac as printed')).toMatchObject({ lr: 0.01, weightDecay: 3e-4 });
    expect(existsSync(join(folder, 'report/report.html'))).toBe(true);
  });

  it.each([
    [['five-method'], /Did you mean five-methods\?/],
    [
      ['lion-grid', '--only', 'iris'],
      /lion-grid has no part "iris"; there are titanic, spambase, mushroom/,
    ],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await command.run(['study', ...args]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});
