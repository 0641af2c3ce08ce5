import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseTar } from 'nanotar';
import { FlatminError } from '../errors.ts';
import { readData } from '../files.ts';
import type { CatalogueFile } from './catalogue.ts';
import { contentFault } from './check.ts';
import { writing } from './download.ts';

/**
 * Takes these files out of a gzipped tar into `folder`, wherever they lie in it, each checked before it gets its name.
 * `FLATMIN_DATA` where one is missing or not what it should be.
 */
export async function unpack(
  path: string,
  files: readonly CatalogueFile[],
  folder: string,
  signal?: AbortSignal,
): Promise<void> {
  const refuse = (why: string) => new FlatminError('FLATMIN_DATA', `${path}: ${why}`);
  const entries = entriesOf(path, refuse);
  for (const file of files) {
    const entry = entries.find(({ name, type }) => type === 'file' && basename(name) === file.name);
    if (entry?.data === undefined) throw refuse(`it holds no ${file.name}`);
    const target = join(folder, file.name);
    const part = `${target}.part`;
    await writing(part, writeFile(part, entry.data, { signal }));
    const fault = await contentFault(part, file, { signal });
    if (fault !== undefined) {
      await writing(part, rm(part, { force: true }));
      throw refuse(`${file.name} in it is damaged: ${fault}`);
    }
    await writing(target, rename(part, target));
  }
}

function entriesOf(path: string, refuse: (why: string) => FlatminError) {
  try {
    const { buffer, byteOffset, length } = gunzipSync(readData(path));
    return parseTar(buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer);
  } catch (error) {
    throw refuse(`it is no gzipped tar: ${(error as Error).message}`);
  }
}
