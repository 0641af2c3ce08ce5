import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';

/** Where files of a data set are looked for within the data folder, beside that itself: also where torchvision puts them. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  mnist: ['mnist', join('MNIST', 'raw'), 'raw'],
  cifar10: ['cifar10', 'cifar-10-batches-bin'],
  titanic: ['titanic', 'tabular'],
  spambase: ['spambase', 'tabular'],
  mushroom: ['mushroom', 'tabular'],
};

/** The files of that name that are there: unzipped or not, in `dir` or in the folders of the data set, best first. */
export function findFiles(dir: string, dataset: string, name: string): string[] {
  return placesOf(dir, dataset).flatMap((place) =>
    namesOf(name)
      .map((file) => join(place, file))
      .filter((path) => existsSync(path)),
  );
}

/** What `read` makes of the first of the files that it can read: one that is damaged does not hide a good one. */
export function readFirst<T>(
  dir: string,
  dataset: string,
  name: string,
  read: (path: string) => T,
): { path: string; content: T } {
  let failure: unknown;
  for (const path of findFiles(dir, dataset, name)) {
    try {
      return { path, content: read(path) };
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure ?? missing(dir, dataset, name);
}

function missing(dir: string, dataset: string, name: string): FlatminError {
  return new FlatminError(
    'FLATMIN_DATA',
    `${dataset}: ${whyNot(dir)}; looked for ${namesOf(name).join(', ')} in ${placesOf(dir, dataset).join(', ')}; ` +
      `help: run "flatmin data fetch ${dataset} --data ${dir}", or name the folder that holds the files`,
  );
}

function placesOf(dir: unknown, dataset: string): string[] {
  if (typeof dir !== 'string') throw wrongArgument('The data folder', 'a path', dir);
  return [dir, ...(FOLDERS[dataset] ?? [dataset]).map((folder) => join(dir, folder))];
}

/** `t10k-images-idx3-ubyte` is `t10k-images.idx3-ubyte` too, as archives unpack it. */
function namesOf(name: string): string[] {
  const plain = name.replace(/\.gz$/, '');
  const names = [...new Set([plain, plain.replace(/-(idx\d-ubyte)$/, '.$1')])];
  return names.flatMap((file) => [file, `${file}.gz`]);
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
