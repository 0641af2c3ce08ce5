/** Sweeps whose trials run in processes of their own, as the compiled package runs them. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CompiledCommand } from '../cli/command.ts';

const command = new CompiledCommand();
afterAll(() => rmSync(command.folder, { recursive: true }));

/** A module of work, given its folder as context: `body` is of a function of `{ point, values, seed }`. */
function work(name: string, body: string): string {
  const path = join(command.folder, `${name}.mjs`);
  const head = `import { appendFileSync, existsSync, writeFileSync } from 'node:fs';\n`;
  const text = `${head}export default ({ folder }) => async ({ point, values, seed }) => {\n${body}\n};\n`;
  writeFileSync(path, text);
  return path;
}

/** Runs a sweep over x = 0 … 5 and prints its trials as JSON, or its error's code and message. */
const script = (module: string, options = '') => `
  import { sweep } from './dist/index.js';
  const work = { module: ${JSON.stringify(module)}, context: { folder: ${JSON.stringify(command.folder)} } };
  const space = { x: { from: 0, to: 5, count: 6 } };
  const choice = { by: 'score', best: 'max' };
  try {
    const { trials } = await sweep(work, { space, choice, jobs: 2, ${options} });
    console.log(JSON.stringify(trials));
  } catch ({ code, message }) {
    console.log(JSON.stringify({ code, message }));
  }`;

const run = async (module: string, options?: string) => {
  const { stdout, code } = await command.script(script(module, options), () => {});
  expect(code).toBe(0);
  return JSON.parse(stdout);
};

describe('trials in processes of their own', () => {
  it('measure what they would here, in as many processes as there are jobs', async () => {
    const trials = await run(work('plain', 'return { score: values.x ** 2, pid: process.pid };'));
    expect(trials.map(({ measures }: never) => (measures as { score: number }).score)).toEqual([
      0, 1, 4, 9, 16, 25,
    ]);
    const pids = new Set(trials.map(({ measures }: never) => (measures as { pid: number }).pid));
    expect(pids.size).toBeLessThanOrEqual(2);
    expect(pids.has(process.pid)).toBe(false);
  });

  it('are repeated once where their process dies, then reported', async () => {
    const body = `
      const mark = folder + '/died-' + point;
      if (values.x === 4 || (values.x === 1 && !existsSync(mark))) {
        appendFileSync(mark, 'x');
        process.kill(process.pid, 'SIGKILL');
        await new Promise(() => {});
      }
      return { score: values.x };`;
    const trials = await run(work('dying', body));
    expect(trials.map(({ status }: { status: string }) => status)).toEqual([
      'done',
      'done',
      'done',
      'done',
      'failed',
      'done',
    ]);
    expect(trials[4].reason).toBe('its process ended by SIGKILL, twice');
    const deaths = (point: number) => readFileSync(join(command.folder, `died-${point}`), 'utf8');
    expect([deaths(1), deaths(4)]).toEqual(['x', 'xx']);
  });

  it('end the sweep where their work cannot be begun, with its error', async () => {
    const module = join(command.folder, 'none.mjs');
    expect(await run(module)).toMatchObject({ message: expect.stringMatching(/none\.mjs/) });
    writeFileSync(
      module,
      `import { FlatminError } from ${JSON.stringify(join(command.folder, 'dist/index.js'))};
       export default () => { throw new FlatminError('FLATMIN_DATA', 'no such data'); };`,
    );
    expect(await run(module)).toEqual({ code: 'FLATMIN_DATA', message: 'no such data' });
  });

  it('end with the process of the sweep, which goes on where it was killed', async () => {
    const ran = join(command.folder, 'ran');
    const body = `
      appendFileSync(folder + '/ran', point + ' ' + process.pid + '\\n');
      if (point >= 2 && !existsSync(folder + '/go')) await new Promise(() => setInterval(() => {}, 1000));
      return { score: values.x };`;
    const module = work('slow', body);
    const out = `out: ${JSON.stringify(join(command.folder, 'sweep'))}`;
    const told = `onTrial: (_, { done }) => process.stderr.write('done ' + done)`;
    const killed = await command.script(script(module, `${out}, ${told}`), (said, child) => {
      if (said.includes('done 2')) child.kill('SIGKILL');
    });
    expect(killed.signal).toBe('SIGKILL');
    const lines = () => readFileSync(ran, 'utf8').trim().split('\n');
    const pids = new Set(lines().map((line) => Number(line.split(' ')[1])));
    await expect.poll(() => [...pids].filter(isAlive), { timeout: 10_000 }).toEqual([]);
    writeFileSync(join(command.folder, 'go'), '');
    const before = lines().length;
    const trials = await run(module, `${out}, resume: true`);
    expect(trials).toHaveLength(6);
    const later = lines()
      .slice(before)
      .map((line) => Number(line.split(' ')[0]));
    expect(later.toSorted()).toEqual([2, 3, 4, 5]);
    expect(existsSync(join(command.folder, 'sweep', 'trials.csv'))).toBe(true);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
