import { FlatminError } from '../errors.ts';
import type { Problem, Task } from '../tasks/task.ts';
import { describeResults } from './describe.ts';
import { fail } from './fail.ts';
import { howToGoOn } from './go-on.ts';
import { barProgress, lineProgress } from './progress.ts';
import type { Result } from './result.ts';
import { runMethod } from './run.ts';
import type { Sink } from './run-events.ts';
import { jsonSink, type RunFolder } from './run-folder.ts';
import type { RunSettings, TrainOptions } from './settings.ts';
import { resultTable } from './table.ts';
import { tensorboardSink } from './tensorboard.ts';

export interface Run {
  readonly settings: RunSettings;
  readonly folder: RunFolder | undefined;
}

/**
 * Runs one after the other and tables their results. A method whose numbers are no longer finite is
 * reported and left out.
 */
export async function compare(
  task: Task,
  problem: Problem,
  runs: readonly Run[],
  options: TrainOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const { json, tensorboard } = options;
  const results: Result[] = [];
  for (const { settings, folder } of runs) {
    try {
      const result = await runMethod(task, problem, settings, {
        ...options,
        folder,
        sinks: [
          ...(json ? [jsonSink(process.stdout)] : []),
          ...(tensorboard && folder !== undefined ? [tensorboardSink(folder)] : []),
          progressFor(settings, json),
        ],
      });
      results.push(result);
    } catch (error) {
      if (!(error instanceof FlatminError)) throw error;
      if (error.code === 'FLATMIN_ABORTED') throw howToGoOn(error, options);
      if (error.code !== 'FLATMIN_NUMERICS') throw error;
      fail(error, settings.optimizer);
    }
  }
  if (json || results.length === 0) return;
  const title = describeResults(
    task,
    runs.map(({ settings }) => settings),
  );
  process.stderr.write('\n');
  process.stdout.write(`${resultTable(title, results, runs[0].settings)}\n`);
  for (const { optimizer, sample } of results) {
    if (sample !== undefined) process.stdout.write(`\n${optimizer} writes:\n${sample}\n`);
  }
}

/** A bar where it stands alone, on a terminal that can move: JSON lines on the same one would cut through it. */
function progressFor(settings: RunSettings, json: boolean | undefined): Sink {
  const { stdout, stderr } = process;
  const alone = stderr.isTTY && process.env.TERM !== 'dumb' && !(json && stdout.isTTY);
  return alone ? barProgress(settings, stderr) : lineProgress(settings, stderr);
}
