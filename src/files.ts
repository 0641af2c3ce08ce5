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

/** Paths that a user names may be anything: what cannot be read or written here is an error, never a wait. */

/** All bytes of a plain file. A pipe or a device, which may have no end, is refused. */
export function readPlainFile(path: string): Buffer {
  // Opening a pipe would wait for its other end; Windows has neither the flag nor such files.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!fstatSync(file).isFile()) throw new Error('it is not a plain file');
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

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
