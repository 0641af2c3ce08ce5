import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { FlatminError } from '../errors.ts';
import type { MethodName } from '../tasks/methods.ts';
import type { EpochMetrics } from '../train/checkpoint.ts';
import type { Result } from './result.ts';
import type { RunSettings } from './settings.ts';

/** A line of the metrics, and of `--json`. */
export type RunEvent =
  | ({ readonly event: 'start' } & RunSettings)
  | ({ readonly event: 'epoch'; optimizer: MethodName; synthetic: boolean } & EpochMetrics)
  | ({ readonly event: 'result' } & Result);

/** One run's files: metrics.jsonl (one event a line), checkpoint.safetensors, model.safetensors. */
export class RunFolder {
  readonly metrics: string;
  readonly checkpoint: string;
  readonly model: string;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.metrics = join(path, 'metrics.jsonl');
    this.checkpoint = join(path, 'checkpoint.safetensors');
    this.model = join(path, 'model.safetensors');
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
  events(): RunEvent[] {
    if (!existsSync(this.metrics)) return [];
    const lines = this.#attempt('FLATMIN_DATA', 'read', () => readFileSync(this.metrics, 'utf8'));
    return lines
      .split('\n')
      .slice(0, -1)
      .map((line, i) => {
        try {
          return JSON.parse(line);
        } catch {
          throw new FlatminError(
            'FLATMIN_DATA',
            `${this.metrics}: line ${i + 1} is not JSON; help: choose another --out`,
          );
        }
      });
  }

  /** Makes the metrics exactly these lines, in a new folder if need be. */
  begin(events: readonly RunEvent[]): void {
    const temporary = `${this.metrics}.${process.pid}.tmp`;
    this.#attempt('FLATMIN_IO', 'write', () => {
      mkdirSync(this.#path, { recursive: true });
      try {
        writeFileSync(temporary, events.map(toLine).join(''));
        renameSync(temporary, this.metrics);
      } finally {
        rmSync(temporary, { force: true });
      }
    });
  }

  append(event: RunEvent): void {
    this.#attempt('FLATMIN_IO', 'write', () => appendFileSync(this.metrics, toLine(event)));
  }

  #attempt<T>(code: 'FLATMIN_DATA' | 'FLATMIN_IO', what: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      const { message } = cause as Error;
      throw new FlatminError(code, `Cannot ${what} ${this.metrics}: ${message}`, { cause });
    }
  }
}

export const toLine = (event: RunEvent): string => `${JSON.stringify(event)}\n`;
