import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { FlatminError } from './errors.ts';

/** Paths that a user names may be anything: what cannot be read or written here is an error, never a wait. */

/** What `use` makes of an open plain file. A pipe or a device, which may have no end, is refused. */
export function withPlainFile<T>(path: string, use: (file: number) => T): T {
  // Opening a pipe would wait for its other end; Windows has neither the flag nor such files.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!fstatSync(file).isFile()) throw new Error('it is not a plain file');
    return use(file);
  } finally {
    closeSync(file);
  }
}

/** All bytes of a plain file. */
export const readPlainFile = (path: string): Buffer =>
  withPlainFile(path, (file) => readFileSync(file));

/** What `read` makes of a file; `FLATMIN_DATA` says why it cannot be read. */
export function reading<T>(path: string, read: (path: string) => T): T {
  try {
    return read(path);
  } catch (cause) {
    const { message } = cause as Error;
    throw new FlatminError('FLATMIN_DATA', `Cannot read ${path}: ${message}`, { cause });
  }
}

/** All bytes of a plain file; `FLATMIN_DATA` says why not. */
export const readData = (path: string): Buffer => reading(path, readPlainFile);

/** The text of a plain file in UTF-8; `FLATMIN_DATA` says why not. */
export const readText = (path: string): string =>
  reading(path, () => {
    const bytes = readPlainFile(path);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw new Error('it is not text in UTF-8');
    }
  });

/**
 * Writes a file beside `path`, puts it on the disk and gives it that name: whoever reads `path`, even after a kill or
 * on a full disk, finds the old file or the new one, whole.
 */
export function replaceFile(path: string, write: (file: number) => void): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w');
    try {
      write(file);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Makes a folder and those above it. Node's own recursive `mkdir` never returns in /proc. */
export function makeFolder(path: string): void {
  const above = dirname(path);
  if (above !== path && !existsSync(above)) makeFolder(above);
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (!statSync(path).isDirectory()) throw error;
  }
}
