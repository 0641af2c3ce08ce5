import { appendFileSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FlatminError } from '../errors.ts';
import { makeFolder, reading, readPlainFile, replaceFile, writing } from '../files.ts';
import { takeLock } from '../lock.ts';
import { firstFault, toJson } from '../train/json-numbers.ts';
import { eventSchema, isKept, type KeptEvent, type Sink } from './run-events.ts';

/** One run's files: metrics.jsonl (one event a line), checkpoint.safetensors, model.safetensors, TensorBoard's on request. */
export class RunFolder {
  readonly metrics: string;
  readonly checkpoint: string;
  readonly model: string;
  /** TensorBoard takes every file with tfevents in its name. */
  readonly tensorboard: string;
  readonly #path: string;
  readonly #lock: string;

  constructor(path: string) {
    this.#path = path;
    this.metrics = join(path, 'metrics.jsonl');
    this.checkpoint = join(path, 'checkpoint.safetensors');
    this.model = join(path, 'model.safetensors');
    this.tensorboard = join(path, 'events.out.tfevents.flatmin');
    this.#lock = join(path, 'run.lock');
  }

  /**
   * Keeps other processes out, in a new folder if need be, and clears away what one that was killed left half written.
   * Returns what lets them in again; `FLATMIN_BUSY` names the process that was there first.
   */
  lock(): () => void {
    return writing(this.#lock, () => {
      makeFolder(this.#path);
      const release = takeLock(this.#lock);
      for (const name of readdirSync(this.#path)) {
        if (HALF_WRITTEN.test(name)) rmSync(join(this.#path, name), { force: true });
      }
      return release;
    });
  }

  requireUnused(): void {
    const found = [this.metrics, this.checkpoint, this.model].find((file) => existsSync(file));
    if (found === undefined) return;
    throw new FlatminError(
      'FLATMIN_IO',
      `${this.#path} already holds a run (${found}); help: go on with it by --resume, or choose another --out`,
    );
  }

  /** The events of an earlier run, without a last line that was cut off; none where there was no run. */
  events(): KeptEvent[] {
    if (!existsSync(this.metrics)) return [];
    const lines = reading(this.metrics, () =>
      readPlainFile(this.metrics).toString('utf8').split('\n').slice(0, -1),
    );
    return lines.map((line, i) => {
      const refuse = (what: string) =>
        new FlatminError(
          'FLATMIN_DATA',
          `${this.metrics}: line ${i + 1} ${what}; help: mend or remove it, or choose another --out`,
        );
      let json: unknown;
      try {
        json = JSON.parse(line);
      } catch {
        throw refuse('is not JSON');
      }
      const { data, error } = eventSchema.safeParse(json);
      if (error !== undefined) throw refuse(`is no event of a run, ${firstFault(error)}`);
      if ((data.event === 'start') !== (i === 0)) {
        throw refuse(`is "${data.event}", and a run has one "start", its first line`);
      }
      return data;
    });
  }

  /** Makes the metrics exactly these lines, in a new folder if need be. */
  begin(events: readonly KeptEvent[]): void {
    this.#begin(this.metrics, events.map(toLine).join(''));
  }

  append(event: KeptEvent): void {
    this.#append(this.metrics, toLine(event));
  }

  /** The same of TensorBoard's file, in its records. */
  beginTensorboard(records: Uint8Array): void {
    this.#begin(this.tensorboard, records);
  }

  appendTensorboard(record: Uint8Array): void {
    this.#append(this.tensorboard, record);
  }

  #begin(path: string, content: string | Uint8Array): void {
    writing(path, () => {
      makeFolder(this.#path);
      replaceFile(path, (file) => writeFileSync(file, content));
    });
  }

  #append(path: string, content: string | Uint8Array): void {
    writing(path, () => appendFileSync(path, content));
  }
}

/** Keeps a run: once it trains, its metrics are what was told before, and then grow line by line. */
export function folderSink(folder: RunFolder): Sink {
  const before: KeptEvent[] = [];
  let training = false;
  return {
    take: (event) => {
      if (event.event === 'training') {
        folder.begin(before);
        training = true;
      } else if (isKept(event)) {
        if (training) folder.append(event);
        else before.push(event);
      }
    },
  };
}

/** Writes what is kept as JSON lines. */
export const jsonSink = (stream: NodeJS.WritableStream): Sink => ({
  take: (event) => {
    if (isKept(event)) stream.write(toLine(event));
  },
});

/** NaN and infinities as in checkpoints: "NaN", "Infinity", "-Infinity". */
export const toLine = (event: KeptEvent): string => `${toJson(event)}\n`;

/** What `replaceFile` leaves when it is killed. */
const HALF_WRITTEN =
  /^(metrics\.jsonl|(checkpoint|model)\.safetensors|events\.out\.tfevents\.flatmin|run\.lock)\.\d+\.tmp$/;
