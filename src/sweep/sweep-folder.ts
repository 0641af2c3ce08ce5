import { appendFileSync, existsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import { makeFolder, readPlainFile, replaceFile } from '../files.ts';
import { takeLock } from '../lock.ts';
import { anyNumber, firstFault, toJson } from '../train/json-numbers.ts';
import { csvOf } from './csv.ts';
import { type Finished, keyOf } from './trial.ts';

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
  readonly definition: string;
  readonly trials: string;
  readonly table: string;
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    this.definition = join(path, 'sweep.json');
    this.trials = join(path, 'trials.jsonl');
    this.table = join(path, 'trials.csv');
  }

  /** Keeps other processes out, in a new folder if need be; returns what lets them in again. */
  lock(): () => void {
    return this.#attempt('write', this.path, () => {
      makeFolder(this.path);
      return takeLock(join(this.path, 'sweep.lock'));
    });
  }

  /** The definition of the sweep that is here; `undefined` in a folder without one. */
  readDefinition(): unknown {
    if (!existsSync(this.definition)) return undefined;
    const text = this.#attempt('read', this.definition, () =>
      readPlainFile(this.definition).toString('utf8'),
    );
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new FlatminError(
        'FLATMIN_DATA',
        `${this.definition} is not JSON; help: choose another folder`,
        {
          cause,
        },
      );
    }
  }

  writeDefinition(definition: object): void {
    this.#attempt('write', this.definition, () =>
      replaceFile(this.definition, (file) =>
        writeFileSync(file, `${JSON.stringify(definition, null, 2)}\n`),
      ),
    );
  }

  /** Finished trials in the order in which they ended; a last line that was cut off is taken away. */
  finished(): Finished[] {
    if (!existsSync(this.trials)) return [];
    const bytes = this.#attempt('read', this.trials, () => readPlainFile(this.trials));
    const whole = bytes.lastIndexOf('\n') + 1;
    if (whole < bytes.length) {
      this.#attempt('write', this.trials, () => truncateSync(this.trials, whole));
    }
    const lines = bytes.subarray(0, whole).toString('utf8').split('\n').slice(0, -1);
    const seen = new Set<string>();
    return lines.map((line, i) => {
      const refuse = (what: string) =>
        new FlatminError(
          'FLATMIN_DATA',
          `${this.trials}: line ${i + 1} ${what}; help: remove the line, and its trial runs again`,
        );
      let json: unknown;
      try {
        json = JSON.parse(line);
      } catch {
        throw refuse('is not JSON');
      }
      const { data, error } = finishedSchema.safeParse(json);
      if (error !== undefined) throw refuse(`is no trial, ${firstFault(error)}`);
      const key = keyOf(data);
      if (seen.has(key)) throw refuse(`is a second one of point ${data.point}, seed ${data.seed}`);
      seen.add(key);
      return data;
    });
  }

  append(trial: Finished): void {
    this.#attempt('write', this.trials, () => appendFileSync(this.trials, `${toJson(trial)}\n`));
  }

  writeTable(trials: readonly Finished[]): void {
    this.#attempt('write', this.table, () =>
      replaceFile(this.table, (file) => writeFileSync(file, csvOf(trials))),
    );
  }

  #attempt<T>(verb: 'read' | 'write', path: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      if (cause instanceof FlatminError) throw cause;
      const code = verb === 'read' ? 'FLATMIN_DATA' : 'FLATMIN_IO';
      throw new FlatminError(code, `Cannot ${verb} ${path}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }
}
