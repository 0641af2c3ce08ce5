import { SingleBar } from 'cli-progress';
import { CATALOGUE, downloadBytesOf } from '../data/catalogue.ts';
import { checkDataset } from '../data/check.ts';
import { type FetchProgress, fetchDataset } from '../data/fetch.ts';

export interface DataOptions {
  readonly json?: boolean;
}

export function listData({ json }: DataOptions): void {
  for (const entry of CATALOGUE) {
    const { name, title, licence } = entry;
    const downloadBytes = downloadBytesOf(entry);
    const event = { event: 'dataset', name, title, licence, downloadBytes };
    print(event, `${name.padEnd(10)}${title}; ${megabytes(downloadBytes)}, ${licence}`, json);
  }
}

/** Whether every file is there and whole. */
export async function checkData(
  name: string,
  dir: string,
  { json }: DataOptions,
): Promise<boolean> {
  const checks = await checkDataset(name, dir);
  for (const { file, state, path, reason } of checks) {
    const text = `${state.padEnd(9)}${path ?? file.name}${reason === undefined ? '' : `: ${reason}`}`;
    print({ event: 'file', file: file.name, state, path, reason }, text, json);
  }
  return checks.every(({ state }) => state === 'ok');
}

export async function fetchData(
  name: string,
  dir: string,
  { json, signal }: DataOptions & { signal: AbortSignal },
): Promise<void> {
  const progress = downloadProgress(process.stderr);
  try {
    const { fetched, present } = await fetchDataset(name, dir, {
      signal,
      onProgress: progress.update,
    });
    progress.stop();
    for (const path of present)
      print({ event: 'file', state: 'present', path }, `present  ${path}`, json);
    for (const path of fetched)
      print({ event: 'file', state: 'fetched', path }, `fetched  ${path}`, json);
  } finally {
    progress.stop();
  }
}

/** A bar a file; where nobody watches, a line a file. */
export function downloadProgress(stream: NodeJS.WriteStream) {
  let file: string | undefined;
  const bar = new SingleBar({
    stream,
    linewrap: true,
    barsize: 30,
    format: '{file} {bar} {percentage}%  {megabytes}',
  });
  return {
    update: (progress: FetchProgress) => {
      const { received, total = received } = progress;
      const payload = { file: progress.file, megabytes: megabytes(received) };
      if (progress.file !== file) {
        bar.stop();
        file = progress.file;
        if (stream.isTTY) bar.start(total, received, payload);
        else stream.write(`downloading ${file}\n`);
      }
      bar.setTotal(total);
      bar.update(received, payload);
    },
    stop: () => bar.stop(),
  };
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

const print = (event: object, text: string, json: boolean | undefined) =>
  process.stdout.write(`${json ? JSON.stringify(event) : text}\n`);
