import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FlatminError } from '../errors.ts';

/** `name`, unzipped or not, in `dir` or in `dir/folder`: the path that a loader reads. */
export function findFile(dir: string, folder: string, name: string): string | undefined {
  return candidates(dir, folder, name).find((path) => existsSync(path));
}

/** As `findFile`, but an error that says where and for what it looked. */
export function requireFile(dir: string, folder: string, name: string): string {
  const path = findFile(dir, folder, name);
  if (path) return path;
  throw new FlatminError(
    'FLATMIN_DATA',
    `${folder}: ${whyNot(dir)}; looked for ${candidates(dir, folder, name).join(', ')}; ` +
      `help: run "flatmin data fetch ${folder} --data ${dir}", or name the folder that holds the files`,
  );
}

function candidates(dir: string, folder: string, name: string): string[] {
  const plain = name.replace(/\.gz$/, '');
  return [dir, join(dir, folder)].flatMap((at) => [join(at, plain), join(at, `${plain}.gz`)]);
}

function whyNot(dir: string): string {
  try {
    if (!statSync(dir).isDirectory()) return `${dir} is not a folder`;
    return readdirSync(dir).length === 0
      ? `the data folder ${dir} is empty`
      : `a file is missing in the data folder ${dir}`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT'
      ? `the data folder ${dir} does not exist`
      : `the data folder ${dir} cannot be read (${message})`;
  }
}
