import { appendFileSync, existsSync, truncateSync } from 'node:fs';
import type { z } from 'zod';
import { FlatminError } from '../errors.ts';
import { readData, writing } from '../files.ts';
import { firstFault, toJson } from '../train/json-numbers.ts';

export interface JournalOptions<T> {
  /** What a line is, as "trial". */
  readonly what: string;
  readonly schema: z.ZodType<T>;
  /** What tells lines apart, for people. */
  readonly keyOf: (line: T) => string;
}

/** A file that grows by a line of JSON for everything that is finished, and of which a kill loses nothing but a part of the last. */
export class Journal<T> {
  readonly path: string;
  readonly #options: JournalOptions<T>;

  constructor(path: string, options: JournalOptions<T>) {
    this.path = path;
    this.#options = options;
  }

  /** All lines; a last one that was cut off is taken away. `FLATMIN_DATA` names one that is damaged, or there twice. */
  read(): T[] {
    const { what, schema, keyOf } = this.#options;
    if (!existsSync(this.path)) return [];
    const bytes = readData(this.path);
    const whole = bytes.lastIndexOf('\n') + 1;
    if (whole < bytes.length) writing(this.path, () => truncateSync(this.path, whole));
    const lines = bytes.subarray(0, whole).toString('utf8').split('\n').slice(0, -1);
    const seen = new Set<string>();
    return lines.map((line, i) => {
      const refuse = (fault: string) =>
        new FlatminError(
          'FLATMIN_DATA',
          `${this.path}: line ${i + 1} ${fault}; help: remove the line, and its ${what} runs again`,
        );
      let json: unknown;
      try {
        json = JSON.parse(line);
      } catch {
        throw refuse('is not JSON');
      }
      const { data, error } = schema.safeParse(json);
      if (error !== undefined) throw refuse(`is no ${what}, ${firstFault(error)}`);
      const key = keyOf(data);
      if (seen.has(key)) throw refuse(`is a second one of ${key}`);
      seen.add(key);
      return data;
    });
  }

  append(line: T): void {
    writing(this.path, () => appendFileSync(this.path, `${toJson(line)}\n`));
  }
}
