import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type CatalogueEntry, type CatalogueFile, catalogueEntry } from './catalogue.ts';
import { isGzip } from './idx.ts';
import { findFiles } from './locate.ts';

export interface FileCheck {
  file: CatalogueFile;
  state: 'ok' | 'missing' | 'damaged';
  /** Where it was found. */
  path?: string;
  /** Why it counts as damaged. */
  reason?: string;
}

/** Compares the files of a data set, where loaders look for them, with the catalogue's checksums. */
export async function checkDataset(
  dataset: string | CatalogueEntry,
  dir: string,
  signal?: AbortSignal,
): Promise<FileCheck[]> {
  const { name, files } = catalogueEntry(dataset);
  const checks: FileCheck[] = [];
  for (const file of files) {
    checks.push(await checkFile(file, findFiles(dir, name, file.name), signal));
  }
  return checks;
}

/** Good where one of them is: loaders pass over the others. */
async function checkFile(
  file: CatalogueFile,
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<FileCheck> {
  let first: FileCheck = { file, state: 'missing' };
  for (const path of paths) {
    const reason = await contentFault(path, file, { signal });
    if (reason === undefined) return { file, state: 'ok', path };
    if (first.state === 'missing') first = { file, state: 'damaged', path, reason };
  }
  return first;
}

/** Why the content of `path`, unzipped unless it is an archive, is not that of `file`; undefined when it is. */
export async function contentFault(
  path: string,
  file: CatalogueFile,
  { archive = false, signal }: { archive?: boolean; signal?: AbortSignal } = {},
): Promise<string | undefined> {
  const hash = createHash('sha256');
  let bytes = 0;
  const consume = async (content: AsyncIterable<Buffer>) => {
    for await (const chunk of content) {
      bytes += chunk.length;
      if (bytes > file.bytes)
        throw new Error(`it holds more than the ${file.bytes} bytes expected`);
      hash.update(chunk);
    }
  };
  try {
    const packed = !archive && (await startsAsGzip(path));
    const source = createReadStream(path);
    await (packed
      ? pipeline(source, createGunzip(), consume, { signal })
      : pipeline(source, consume, { signal }));
  } catch (error) {
    signal?.throwIfAborted();
    return (error as Error).message;
  }
  if (bytes !== file.bytes) return `it holds ${bytes} bytes, expected ${file.bytes}`;
  const sha256 = hash.digest('hex');
  return sha256 === file.sha256 ? undefined : `its SHA-256 is ${sha256}, expected ${file.sha256}`;
}

async function startsAsGzip(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && isGzip(buffer);
  } finally {
    await handle.close();
  }
}
