import type { DataSource, Problem, Task } from '../tasks/task.ts';
import { DEFAULT_DATA_FOLDER, namedDataFolder } from './data-folder.ts';

/** What the command line says of data. */
export interface DataOptions extends Omit<DataSource, 'dir'> {
  readonly data?: string;
  readonly synthetic?: boolean;
}

export function loadProblem(task: Task, options: DataOptions): Problem {
  const { examples, testExamples, validation, width, augment } = options;
  const chosen = { examples, testExamples, validation, width, augment };
  return task.load({ dir: findData(task, options), ...chosen });
}

/**
 * The folder of a task's data, `undefined` where they are to be generated. A folder that was named must hold the files,
 * which `load` sees to; the default one may.
 */
export function findData(task: Task, { data, synthetic }: DataOptions): string | undefined {
  if (synthetic) return undefined;
  const named = namedDataFolder(data);
  if (named !== undefined) return named;
  if (task.isIn(DEFAULT_DATA_FOLDER)) return DEFAULT_DATA_FOLDER;
  process.stderr.write(
    `flatmin: no data folder, using synthetic data; help: flatmin data fetch ${task.dataset}\n`,
  );
  return undefined;
}
