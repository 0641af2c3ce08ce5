import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import { makeFolder, readText, replaceFile, writing } from '../files.ts';
import { takeLock } from '../lock.ts';
import { differences } from '../train/differences.ts';
import { anyNumber } from '../train/json-numbers.ts';
import { csvOf } from './csv.ts';
import { Journal } from './journal.ts';
import type { Finished } from './trial.ts';

const finishedSchema = z.object({
  point: z.int().nonnegative(),
  seed: z.int().nonnegative(),
  values: z.record(z.string(), z.unknown()),
  status: z.enum(['done', 'diverged', 'failed']),
  measures: z.record(z.string(), anyNumber),
  seconds: z.number(),
  reason: z.string().optional(),
});

/** A sweep's files: sweep.json says what it is, trials.jsonl has a line for every finished trial, trials.csv is their table. */
export class SweepFolder {
  readonly path: string;
  readonly definition: string;
  readonly trials: Journal<Finished>;
  readonly #table: string;

  constructor(path: string) {
    this.path = path;
    this.definition = join(path, 'sweep.json');
    this.#table = join(path, 'trials.csv');
    this.trials = new Journal(join(path, 'trials.jsonl'), {
      what: 'trial',
      schema: finishedSchema,
      keyOf: ({ point, seed }) => `point ${point}, seed ${seed}`,
    });
  }

  /** Keeps other processes out, in a new folder if need be; returns what lets them in again. */
  lock(): () => void {
    return writing(this.path, () => {
      makeFolder(this.path);
      return takeLock(join(this.path, 'sweep.lock'));
    });
  }

  /** The definition of the sweep that is here; `undefined` in a folder without one. */
  readDefinition(): unknown {
    return readJson(this.definition);
  }

  /** Writes the definition, or sees that the one that is here is the same. */
  define(definition: object, resume: boolean): void {
    define(this.definition, definition, { resume, what: 'sweep', folder: this.path });
  }

  writeTable(trials: readonly Finished[]): void {
    writing(this.#table, () =>
      replaceFile(this.#table, (file) => writeFileSync(file, csvOf(trials))),
    );
  }
}

function readJson(path: string): unknown {
  if (!existsSync(path)) return undefined;
  const text = readText(path);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FlatminError('FLATMIN_DATA', `${path} is not JSON; help: choose another folder`, {
      cause,
    });
  }
}

/** The file that says what a folder is of: written in a new one, compared in one that is resumed. */
export function define(
  path: string,
  definition: object,
  { resume, what, folder }: { resume: boolean; what: string; folder: string },
): void {
  const before = readJson(path);
  if (before === undefined) {
    const text = `${JSON.stringify(definition, null, 2)}\n`;
    writing(path, () => replaceFile(path, (file) => writeFileSync(file, text)));
    return;
  }
  if (!resume) {
    throw new FlatminError(
      'FLATMIN_IO',
      `${folder} already holds a ${what}; help: resume it, or choose another folder`,
    );
  }
  const differing = differences(before, JSON.parse(JSON.stringify(definition)));
  if (differing === '') return;
  throw new FlatminError(
    'FLATMIN_CHECKPOINT',
    `${path} is of a ${what} with ${differing}; help: resume with the same options, or choose another folder`,
  );
}
