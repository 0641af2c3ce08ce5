import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { dimension, shard } from '../../src/cli/sweep-arguments.ts';
import { CompiledCommand } from './command.ts';

const command = new CompiledCommand();
afterAll(() => rmSync(command.folder, { recursive: true }));

const small = ['sweep', 'titanic', '--synthetic', '--examples', '64', '--test-examples', '32'];
const grid = ['--epochs', '2', '--grid', 'lr=1e-4,1e-2', '--grid', 'betas.0=0.8..0.9:2'];

const run = (...args: string[]) => command.run([...small, ...grid, ...args]);

describe('flatmin sweep', () => {
  it('tries a grid and prints the best points', async () => {
    const { code, stdout, stderr } = await run('--seeds', '2', '--out', 'sweeps/one');
    expect(stderr).toMatch(/^titanic: 4 points of lion × 2 seeds, 2 epochs each, \d+ at a time\n/);
    expect(stderr).toMatch(/8 of 8 trials, 0:00 left\n$/);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^The best of 4 points by largest validation\.accuracy; 8 trials, 0 diverged, 0 failed\n\nlr +betas\.0 +validation\.accuracy +done\n─+\n/,
    );
    expect(stdout.match(/^(0\.0001|0\.01) +0\.[89] +0\.\d{4} ± 0\.\d{4} +2\/2$/gm)).toHaveLength(4);
    const [header] = readFileSync(join(command.folder, 'sweeps/one/trials.csv'), 'utf8').split(
      '\r\n',
    );
    expect(header.split(',')).toEqual([
      ...['point', 'seed', 'lr', 'betas.0', 'status', 'trainLoss', 'trainSeconds'],
      ...[
        'validation.loss',
        'validation.accuracy',
        'test.loss',
        'test.accuracy',
        'seconds',
        'reason',
      ],
    ]);
    const again = await run('--seeds', '2', '--out', 'sweeps/one');
    expect(again.stderr).toMatch(/already holds a sweep; help: resume it/);
    expect(again.code).toBe(1);
  });

  it('goes on after an interrupt to the same points', async () => {
    const out = ['--out', 'sweeps/stopped'];
    const args = [...small, ...grid, ...out, '--jobs', '1'];
    const stopped = await command.run(args, { signal: 'SIGINT', at: /points of lion/ });
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(
      /The sweep was stopped; help: go on with: flatmin sweep .* --resume\n$/,
    );
    const { stdout } = await run(...out, '--resume');
    const { stdout: whole } = await run();
    expect(stdout).toBe(whole);
  });

  it('is cut into shards and merged', async () => {
    for (const part of ['1', '2']) {
      await run('--shard', `${part}/2`, '--out', `sweeps/part-${part}`);
    }
    const dirs = ['sweeps/part-1', 'sweeps/part-2'];
    const merged = await command.run(['sweep', 'merge', ...dirs, '--out', 'sweeps/merged']);
    expect(merged.stdout).toBe((await run()).stdout);
  });

  it('prints trials as JSON lines, drawn at random', async () => {
    const { stdout } = await command.run([
      ...[...small, '--epochs', '1', '--optimizer', 'adamw', '--random', '3', '--json'],
      ...['--grid', 'lr=log:1e-4..1e-2', '--set', 'betas=0.8,0.9', '--schedule', 'cosine'],
    ]);
    const trials = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(trials.map(({ point }) => point).toSorted()).toEqual([0, 1, 2]);
    for (const { values, status, measures } of trials) {
      expect(values.lr).toBeGreaterThanOrEqual(1e-4);
      expect(values.lr).toBeLessThanOrEqual(1e-2);
      expect(status).toBe('done');
      expect(measures['test.accuracy']).toBeGreaterThanOrEqual(0);
    }
  });

  it.each([
    [['--grid', 'lrr=1'], /lion: Unknown option "lrr"; did you mean "lr"\?/],
    [['--grid', 'betas.2=1'], /lion has no option betas\.2/],
    [['--grid', 'lr.x=1'], /lion has no option lr\.x/],
    [['--grid', 'lr=0..1'], /lr is a range without a count/],
    [['--grid', 'lr=1', '--resume'], /option '--resume' needs the folder of the sweep/],
  ])('refuses %j before it begins', async (args, message) => {
    const { code, stderr } = await command.run([...small, ...args]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});

describe('arguments of a sweep', () => {
  it.each([
    ['lr=1e-4,1e-3', { lr: [1e-4, 1e-3] }],
    ['kind=a,true,3', { kind: ['a', true, 3] }],
    ['betas.0=0.8..0.98:20', { 'betas.0': { from: 0.8, to: 0.98, count: 20 } }],
    ['lr=log:1e-5..1e-2:10', { lr: { from: 1e-5, to: 1e-2, scale: 'log', count: 10 } }],
    ['lr=log:1e-5..1e-2', { lr: { from: 1e-5, to: 1e-2, scale: 'log' } }],
    ['x=-1..1', { x: { from: -1, to: 1 } }],
  ])('%s', (text, space) => {
    expect(dimension(text)).toEqual(space);
  });

  it.each(['lr', 'lr=', 'lr=1,', 'lr=a..b', 'lr=2..1', 'lr=log:0..1', 'lr=0..1:0', '=1'])(
    'refuse %s',
    (text) => expect(() => dimension(text)).toThrow(/Expected/),
  );

  it('refuse a name twice', () => {
    expect(() => dimension('lr=1', { lr: [2] })).toThrow('lr is given twice.');
  });

  it('are parts of a whole', () => {
    expect(shard('2/3')).toEqual([2, 3]);
    for (const text of ['0/3', '4/3', '1', 'a/b', '1/2/3x']) {
      expect(() => shard(text)).toThrow('Expected i/n');
    }
  });
});
