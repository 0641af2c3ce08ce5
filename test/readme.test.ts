import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as flatmin from '../src/index.ts';

const root = resolve(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map((match) => match[1]);

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<void>;

/** Runs a module's text with `import … from 'flatmin'` bound to the sources; returns what it logs. */
async function run(code: string): Promise<unknown[]> {
  const logged: unknown[] = [];
  const body = code.replace(/import (\{.*?\}) from 'flatmin';/gs, 'const $1 = flatmin;');
  await new AsyncFunction('flatmin', 'console', body)(flatmin, {
    log: (...values: unknown[]) => logged.push(...values),
  });
  return logged;
}

describe('README scripts', () => {
  const [first, models, curvature, loop, layer, gradients, closures] = blocks('js');

  it('has the seven that are checked here', () => {
    expect(blocks('js')).toHaveLength(7);
  });

  it('the first trains, saves, loads and tells the circle from what is beyond', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'flatmin-first-')), 'circle.safetensors');
    const logged = await run(first.replaceAll("'circle.safetensors'", JSON.stringify(path)));
    rmSync(dirname(path), { recursive: true });
    const [loss, logits] = logged as [number, Float32Array];
    expect(loss).toBeLessThan(0.4);
    expect([logits[0] > logits[1], logits[3] > logits[2]]).toEqual([true, true]);
  });

  it('door 2 moves every weight towards zero by about its 100 steps of 0.01', async () => {
    const [weights] = (await run(gradients)) as [Float32Array];
    expect([...weights].map((w) => Math.round(w * 10) / 10 + 0)).toEqual([0, -0.9, 1.8, -2.7]);
  });

  it('door 3 comes near the solution (5/7, 1/7) of its two equations', async () => {
    const [weights] = (await run(closures)) as [Float32Array];
    const away = Math.hypot(weights[0] - 5 / 7, weights[1] - 1 / 7);
    expect(away).toBeLessThan(Math.hypot(0.5 - 5 / 7, -0.5 - 1 / 7));
  });

  it('door 1 trains and reports every epoch', async () => {
    const logged = (await run(models)) as number[];
    expect(logged).toHaveLength(5);
    const [, first, , second, epochs] = logged;
    expect(epochs).toBe(2);
    expect(Math.max(first, second)).toBeGreaterThan(0.3);
  });

  it('the curvature of a fit has a trace of at least its largest eigenvalue', async () => {
    const [largest, trace, error, sharpness] = (await run(curvature)) as number[];
    expect(largest).toBeGreaterThan(0);
    expect(trace + 4 * error).toBeGreaterThan(largest);
    expect(sharpness).toBeGreaterThan(0);
  });

  it('the loop learns exclusive or', async () => {
    const [loss, data] = (await run(loop)) as [number, Float32Array];
    expect(loss).toBeLessThan(0.2);
    expect(data).toHaveLength(8);
    const classes = [0, 1, 2, 3].map((row) => Number(data[2 * row + 1] > data[2 * row]));
    expect(classes).toEqual([0, 1, 1, 0]);
  });

  it('a layer of one’s own has named parameters', async () => {
    const [names] = await run(layer);
    expect(names).toEqual([
      'embed.weight',
      'embed.bias',
      'block.body.0.weight',
      'block.body.0.bias',
      'head.weight',
      'head.bias',
    ]);
  });
});

describe('README commands', () => {
  const folder = mkdtempSync(join(tmpdir(), 'flatmin-readme-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const lines = blocks('console')
    .flatMap((block) => block.split('\n'))
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
  const scripts = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts);

  it('names npm scripts that exist', () => {
    const named = lines.flatMap((line) => [...line.matchAll(/npm run (\S+)/g)].map((m) => m[1]));
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(scripts).toContain(name);
  });

  it.each(lines.filter((line) => /^flatmin (train|sweep|doctor)/.test(line)))('%s', (line) => {
    // The same command on little generated data.
    const small = line
      .replace('--data "$FLATMIN_DATA"', '--synthetic')
      .replace('--epochs 3', '--epochs 1')
      .replace(/(runs|sweeps)\//, `${folder}/`);
    const size = ['--examples', '300', '--test-examples', '100'];
    const args = small.split(' ').slice(1);
    const extra = args[0] === 'doctor' ? [] : [...size, '--synthetic', '--epochs', '1'];
    const out = execFileSync('node', [join(root, 'scripts/flatmin.mjs'), ...args, ...extra], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(out.length).toBeGreaterThan(0);
  });
});
