import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FlatminError } from '../errors.ts';
import type { EpochMetrics, StepEvaluation } from '../train/checkpoint.ts';
import type { Result } from './result.ts';
import { RunFolder } from './run-folder.ts';
import type { StartSettings } from './settings.ts';

/** A run as its folder tells it, finished or not. */
export interface KeptRun {
  /** Its folder, as it was named. */
  readonly name: string;
  readonly settings: StartSettings;
  readonly epochs: readonly EpochMetrics[];
  readonly evaluations: readonly StepEvaluation[];
  /** Of one that came to its end. */
  readonly result?: Result;
}

/** A comparison keeps its methods in folders of a folder, and people keep comparisons in one more. */
const DEEPEST = 4;

/** The runs in these folders and in folders within; `FLATMIN_DATA` names one that has none. */
export function readRuns(paths: readonly string[]): KeptRun[] {
  const folders = paths.flatMap((path) => {
    if (!existsSync(path)) {
      throw new FlatminError(
        'FLATMIN_DATA',
        `${path} does not exist; help: name folders that flatmin train --out has written`,
      );
    }
    const found = runsIn(path, DEEPEST);
    if (found.length > 0) return found;
    throw new FlatminError(
      'FLATMIN_DATA',
      `${path} holds no run: no metrics.jsonl in it or in folders within; help: name folders that flatmin train --out has written`,
    );
  });
  return [...new Set(folders)].map(readRun);
}

function runsIn(path: string, deep: number): string[] {
  if (!statSync(path).isDirectory()) return [];
  const own = existsSync(new RunFolder(path).metrics) ? [path] : [];
  if (deep === 0) return own;
  const within = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(path, name))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return [...own, ...within.flatMap((each) => runsIn(each, deep - 1))];
}

function readRun(name: string): KeptRun {
  const folder = new RunFolder(name);
  const events = folder.events();
  const [start] = events;
  if (start?.event !== 'start') {
    throw new FlatminError(
      'FLATMIN_DATA',
      `${folder.metrics} tells of no start; help: wait until the run has begun, or leave it out`,
    );
  }
  const result = events.find((event) => event.event === 'result');
  return {
    name,
    settings: start,
    epochs: events.filter((event) => event.event === 'epoch'),
    evaluations: events.filter((event) => event.event === 'evaluation'),
    result,
  };
}
