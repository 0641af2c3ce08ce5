/** The scripts of docs/examples from raw data to a model that serves, on a few generated rows. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { syntheticImages } from '../src/data/synthetic-images.ts';
import { syntheticSentences } from '../src/data/synthetic-sentences.ts';
import { syntheticTable } from '../src/data/synthetic-tables.ts';

const dir = mkdtempSync(join(tmpdir(), 'flatmin-examples-'));
afterAll(() => rmSync(dir, { recursive: true }));

let server: Server | undefined;
afterEach(() => {
  server?.close();
  server = undefined;
});

type Load = (path: string) => (input: unknown) => Promise<unknown>;
interface Example {
  train(...args: unknown[]): Promise<unknown>;
  load: Load;
  serve(answer: ReturnType<Load>, port: number): Server;
}

const example = async (name: string): Promise<Example> =>
  import(new URL(`../docs/examples/${name}.js`, import.meta.url).href);

/** What the served model of a file answers; 400 and a message where it refuses. */
async function served<T>({ load, serve }: Example, path: string) {
  server = serve(load(path), 0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return async (body: string | Uint8Array<ArrayBuffer>): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', body });
    const answer = response.ok ? response.json() : `${response.status}: ${await response.text()}`;
    return answer as Promise<T>;
  };
}

it('tables', async () => {
  const tables = await example('tables');
  const { columns, rows } = syntheticTable('titanic');
  const csv = join(dir, 'passengers.csv');
  writeFileSync(csv, [columns, ...rows].map((row) => row.join(',')).join('\n'));
  const path = join(dir, 'table.safetensors');
  const drop = ['PassengerId', 'Name', 'Ticket', 'Cabin'];
  expect(await tables.train(csv, 'Survived', { path, drop, epochs: 20 })).toBeGreaterThan(0.7);
  const ask = await served<Record<string, number>[]>(tables, path);
  const row = { Sex: 'female', Age: '20', Pclass: '3', SibSp: '0', Parch: '0', Fare: '8' };
  const [young, old] = await ask(JSON.stringify([row, { ...row, Age: '50' }]));
  expect(young[1]).toBeGreaterThan(0.5);
  expect(old[1]).toBeLessThan(0.5);
  expect(old[0] + old[1]).toBeCloseTo(1, 6);
  expect(await ask(JSON.stringify([{ Age: 'young' }]))).toMatch(
    /^400: .*expected a finite number, got young/,
  );
});

it('sequences', async () => {
  const sequences = await example('sequences');
  const files = (['train', 'test'] as const).map((split) => {
    const sentences = syntheticSentences({ split, count: split === 'train' ? 600 : 50 });
    const lines = sentences.map(({ words, tags }) =>
      words.map((w, t) => `${w}\t${tags[t]}`).join('\n'),
    );
    const file = join(dir, `${split}.conll`);
    writeFileSync(file, `${lines.join('\n\n')}\n`);
    return file;
  });
  const path = join(dir, 'tagger.safetensors');
  const metrics = await sequences.train(files, { path, epochs: 2, hidden: 24 });
  expect((metrics as { f1: number }).f1).toBeGreaterThan(0.7);
  const ask = await served<string[][][]>(sequences, path);
  const [first, second] = await ask('joined Kalen Vorsun .\nin Rope .');
  expect(first).toEqual([
    ['joined', 'O'],
    ['Kalen', 'B-ORG'],
    ['Vorsun', 'I-ORG'],
    ['.', 'O'],
  ]);
  expect(second).toEqual([
    ['in', 'O'],
    ['Rope', 'B-LOC'],
    ['.', 'O'],
  ]);
});

it('images', async () => {
  const images = await example('images');
  const data = {
    train: syntheticImages({ split: 'train', count: 600 }),
    test: syntheticImages({ split: 'test', count: 60 }),
  };
  const classes = Array.from({ length: 10 }, (_, i) => `wave ${i}`);
  const path = join(dir, 'images.safetensors');
  const accuracy = await images.train(data, { path, classes, width: 4, epochs: 4, batch: 20 });
  expect(accuracy).toBeGreaterThan(0.4);
  const ask = await served<string[]>(images, path);
  const answers = await ask(data.test.inputs.data as Uint8Array<ArrayBuffer>);
  const right = answers.filter((answer, i) => answer === classes[data.test.labels[i]]);
  expect(right.length / 60).toBeCloseTo(accuracy as number, 6);
  expect(await ask(new Uint8Array(5))).toMatch(/^400: predict expects rows of \[3, 32, 32\]/);
});
