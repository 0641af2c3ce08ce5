import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { downloadProgress, fetchData } from '../../src/cli/data.ts';
import { fetchDataset } from '../../src/data/fetch.ts';

vi.mock('../../src/data/fetch.ts', () => ({ fetchDataset: vi.fn() }));

let stdout = '';
beforeEach(() => {
  stdout = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    stdout += chunk;
    return true;
  });
  vi.mocked(fetchDataset).mockResolvedValue({ fetched: ['d/mnist/b'], present: ['d/mnist/a'] });
});
afterEach(() => vi.restoreAllMocks());

const { signal } = new AbortController();

it('prints what was fetched and what was there', async () => {
  await fetchData('mnist', 'd', { signal });
  expect(stdout).toBe('present  d/mnist/a\nfetched  d/mnist/b\n');
  const [name, dir, options] = vi.mocked(fetchDataset).mock.calls[0];
  expect([name, dir, options?.signal]).toEqual(['mnist', 'd', signal]);
});

it('prints one object a line with --json', async () => {
  await fetchData('mnist', 'd', { signal, json: true });
  expect(stdout).toBe(
    '{"event":"file","state":"present","path":"d/mnist/a"}\n' +
      '{"event":"file","state":"fetched","path":"d/mnist/b"}\n',
  );
});

const report = (stream: PassThrough): string => {
  const progress = downloadProgress(stream as unknown as NodeJS.WriteStream);
  progress.update({ file: 'a.gz', received: 5e5, total: 2e6 });
  progress.update({ file: 'a.gz', received: 2e6, total: 2e6 });
  progress.update({ file: 'b.gz', received: 1e6 });
  progress.stop();
  return stream.read().toString();
};

it('shows a download as a line a file, or a bar on a terminal', () => {
  expect(report(new PassThrough())).toBe('downloading a.gz\ndownloading b.gz\n');
  const drawn = report(Object.assign(new PassThrough(), { isTTY: true, columns: 100 }));
  expect(drawn).toContain('25%');
  expect(drawn).toContain('100%  2.0 MB');
  expect(drawn).toMatch(/b\.gz .* 1\.0 MB/);
});
