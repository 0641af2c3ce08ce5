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
import { type ErrorCode, FlatminError } from './errors.ts';

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
export const reading = <T>(path: string, read: (path: string) => T): T =>
  attempt('FLATMIN_DATA', `Cannot read ${path}`, () => read(path));

/** What `write` does to a file or a folder; `FLATMIN_IO` says why it cannot. */
export const writing = <T>(path: string, write: (path: string) => T): T =>
  attempt('FLATMIN_IO', `Cannot write ${path}`, () => write(path));

/** Errors of flatmin's own stay what they are. */
function attempt<T>(code: ErrorCode, what: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof FlatminError) throw cause;
    throw new FlatminError(code, `${what}: ${(cause as Error).message}`, { cause });
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
