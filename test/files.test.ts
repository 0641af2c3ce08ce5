import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readIdx } from '../src/data/idx.ts';
import { loadCifar10, readConll, readCsv } from '../src/index.ts';

const dir = mkdtempSync(join(tmpdir(), 'flatmin-files-'));
afterAll(() => rmSync(dir, { recursive: true }));

const readers: Record<string, (path: string) => unknown> = {
  readConll,
  readCsv,
  readIdx,
  loadCifar10: () => loadCifar10(dir, 'test'),
};

describe.each(Object.keys(readers))('%s', (name) => {
  const path = join(dir, name === 'loadCifar10' ? 'cifar10/test_batch.bin' : name);
  const read = () => readers[name](path);

  const windows = process.platform === 'win32';
  const why = windows ? ', skipped: Windows has no named pipes among its files' : '';
  it.skipIf(windows)(`refuses a pipe instead of waiting for it${why}`, () => {
    mkdirSync(join(dir, 'cifar10'), { recursive: true });
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    expect(read).toThrow(`Cannot read ${path}: it is not a plain file`);
    expect(read).toThrow(expect.objectContaining({ code: 'FLATMIN_DATA' }));
    rmSync(path);
  });
});

it('text that is not UTF-8 is refused', () => {
  const path = join(dir, 'latin1.csv');
  writeFileSync(path, Buffer.from([0x61, 0xe9, 0x0a, 0x31, 0x0a]));
  const message = `Cannot read ${path}: it is not text in UTF-8`;
  expect(() => readCsv(path)).toThrow(message);
  expect(() => readConll(path)).toThrow(message);
});
