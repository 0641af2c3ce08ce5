/**
 * The path of a fresh person: install into an empty folder, the README's first lines, then the example that trains on a table
 * and serves, which is asked for a prediction on the loopback.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { emptyProject, npm, pack } from './package.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'flatmin-fresh-'));
const project = join(folder, 'mine');
const [code] = /(?<=```js\n).*?(?=```)/s.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? [
  '',
];

beforeAll(() => {
  const { kernels, flatmin } = pack(folder);
  emptyProject(project);
  const { status, output } = npm(project, ['install', kernels, flatmin]);
  expect(output).not.toContain('flatmin:');
  expect(status).toBe(0);
});

afterAll(() => rmSync(folder, { recursive: true }));

it('the first lines of the README train, save, load and predict', () => {
  writeFileSync(join(project, 'first.mjs'), code);
  const printed = execFileSync(process.execPath, ['first.mjs'], { cwd: project, encoding: 'utf8' });
  const [loss, ...logits] = printed.match(/-?\d+\.\d+(?:e-?\d+)?/g)?.map(Number) ?? [];
  expect(loss).toBeLessThan(0.2);
  // The first point lies within the circle, the second beyond.
  expect(logits).toHaveLength(4);
  expect(logits[0]).toBeGreaterThan(logits[1]);
  expect(logits[2]).toBeLessThan(logits[3]);
});

it('the example of tables trains, serves and answers', async () => {
  copyFileSync(join(root, 'docs/examples/tables.js'), join(project, 'serve.mjs'));
  const rows = Array.from(
    { length: 200 },
    (_, i) => `${i % 17},${i % 2 ? 'up' : 'down'},${i % 2 ? 'yes' : 'no'}`,
  );
  writeFileSync(join(project, 'table.csv'), `size,way,answer\n${rows.join('\n')}\n`);
  writeFileSync(
    join(project, 'start.mjs'),
    `import { load, serve, train } from './serve.mjs';
     await train('table.csv', 'answer', { path: 'table.safetensors', epochs: 80 });
     const server = serve(load('table.safetensors'), { port: 0, host: '127.0.0.1' });
     server.once('listening', () => console.log(server.address().port));`,
  );
  const server = spawn(process.execPath, ['start.mjs'], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [port] = await once(server.stdout, 'data');
    const response = await fetch(`http://127.0.0.1:${Number(port)}`, {
      method: 'POST',
      body: JSON.stringify([
        { size: '3', way: 'up' },
        { size: '3', way: 'down' },
      ]),
    });
    const [up, down] = (await response.json()) as { yes: number; no: number }[];
    expect(up.yes).toBeGreaterThan(0.9);
    expect(down.no).toBeGreaterThan(0.9);
    expect(up.yes + up.no).toBeCloseTo(1, 6);
  } finally {
    server.kill();
    await once(server, 'exit');
  }
});
