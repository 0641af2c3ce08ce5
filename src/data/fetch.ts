import { rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlatminError } from '../errors.ts';
import { makeFolder } from '../files.ts';
import { type CatalogueEntry, type CatalogueFile, catalogueEntry } from './catalogue.ts';
import { checkDataset, contentFault } from './check.ts';
import { DownloadFailure, download, writing } from './download.ts';
import { unpack } from './unpack.ts';

export interface FetchOptions {
  /** Base addresses to use instead of the catalogue's. */
  mirrors?: string[];
  /** Stops the download; what came stays beside the file as `.part` for the next try. */
  signal?: AbortSignal;
  onProgress?: (progress: FetchProgress) => void;
  /** Give up on a server that sends nothing for this long. Default 30,000. */
  stallMs?: number;
  /** Wait before the second of three tries at a mirror; the third waits twice this. Default 500. */
  retryMs?: number;
}

export interface FetchProgress {
  file: string;
  received: number;
  total?: number;
}

export interface FetchResult {
  /** Files downloaded now; none when everything was there already. */
  fetched: string[];
  /** Files that were there, with the right content. */
  present: string[];
}

interface FileOptions extends FetchOptions {
  /** It is the archive of files. */
  archive?: boolean;
}

const TRIES = 3;
/** What gzip may add to content that does not compress. */
const GZIP_OVERHEAD = 65536;

/**
 * Downloads what is missing of a data set into `dir/name`, one by one or unpacked from its archive, checks every file's
 * SHA-256 and only then gives it its name. Throws `FLATMIN_FETCH` when no mirror delivers, `FLATMIN_DATA` when a
 * damaged file of the user's stands in the way, `FLATMIN_IO`, `FLATMIN_ABORTED`.
 */
export async function fetchDataset(
  dataset: string | CatalogueEntry,
  dir: string,
  options: FetchOptions = {},
): Promise<FetchResult> {
  const entry = catalogueEntry(dataset);
  const { name } = entry;
  const mirrors = requireAddresses(options.mirrors ?? entry.mirrors);
  const folder = join(dir, name);
  const result: FetchResult = { fetched: [], present: [] };
  try {
    const checks = await checkDataset(entry, dir, options.signal);
    const wanting = [];
    for (const { file, state, path, reason } of checks) {
      const target = join(folder, file.name);
      if (state === 'ok') {
        result.present.push(path as string);
        continue;
      }
      if (path && resolve(path) !== resolve(target)) {
        throw new FlatminError(
          'FLATMIN_DATA',
          `${path} is damaged: ${reason}; help: remove it and run the command again`,
        );
      }
      wanting.push(file);
      result.fetched.push(target);
    }
    if (wanting.length > 0) await writing(folder, (async () => makeFolder(folder))());
    const { archive } = entry;
    if (archive === undefined) {
      for (const file of wanting) await fetchFile(file, join(folder, file.name), mirrors, options);
    } else if (wanting.length > 0) {
      const path = join(folder, archive.name);
      await fetchFile(archive, path, mirrors, { ...options, archive: true });
      await unpack(path, wanting, folder, options.signal);
      await writing(path, rm(path));
    }
  } catch (cause) {
    if (!options.signal?.aborted) throw cause;
    throw new FlatminError(
      'FLATMIN_ABORTED',
      `download of ${name} stopped; help: the same command goes on where it stopped`,
      { cause },
    );
  }
  return result;
}

function requireAddresses(mirrors: string[]): string[] {
  const bad = mirrors.find((mirror) => !/^https?:$/.test(protocolOf(mirror)));
  if (mirrors.length > 0 && bad === undefined) return mirrors;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `mirrors: expected one or more http or https addresses, got ${JSON.stringify(bad ?? mirrors)}`,
  );
}

const protocolOf = (address: string) => (URL.canParse(address) ? new URL(address).protocol : '');

async function fetchFile(
  file: CatalogueFile,
  target: string,
  mirrors: string[],
  options: FileOptions,
): Promise<void> {
  const failures: string[] = [];
  for (const mirror of mirrors) {
    const url = `${mirror.replace(/\/*$/, '/')}${file.remote ?? file.name}`;
    const failure = await fetchFrom(url, file, target, options);
    if (!failure) return;
    failures.push(`  ${url}: ${failure}`);
  }
  throw new FlatminError(
    'FLATMIN_FETCH',
    `cannot download ${file.name} from any of ${mirrors.length} mirrors:\n${failures.join('\n')}\n` +
      `help: check the network and run again, or put the file at ${target} yourself`,
  );
}

/** Returns why this address did not deliver, or nothing when `target` is in place. */
async function fetchFrom(
  url: string,
  file: CatalogueFile,
  target: string,
  { signal, onProgress, archive, stallMs = 30_000, retryMs = 500 }: FileOptions,
): Promise<string | undefined> {
  const part = `${target}.part`;
  const maxBytes = file.bytes + GZIP_OVERHEAD;
  let failure = '';
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (attempt > 0) await sleep(retryMs * 2 ** (attempt - 1), undefined, { signal });
    try {
      const before = await download(url, part, {
        maxBytes,
        stallMs,
        signal,
        onProgress: (received, total) => onProgress?.({ file: file.name, received, total }),
      });
      const fault = await contentFault(part, file, { archive, signal });
      if (!fault) {
        await writing(target, rename(part, target));
        return undefined;
      }
      await writing(part, rm(part, { force: true }));
      // Bytes from an earlier try may be to blame: the mirror gets one from the start.
      throw new DownloadFailure(`wrong content: ${fault}`, before > 0);
    } catch (error) {
      if (!(error instanceof DownloadFailure)) throw error;
      failure = error.message;
      if (!error.again) return failure;
    }
  }
  return `${failure} (${TRIES} tries)`;
}
