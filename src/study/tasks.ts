import { join } from 'node:path';
import { FlatminError } from '../errors.ts';
import type { Problem, Task } from '../tasks/task.ts';
import { TASKS } from '../tasks/tasks.ts';
import type { Comparison } from './study.ts';
import type { StudyOptions } from './study-options.ts';

export function taskOf(name: string): Task {
  const task = TASKS.find((known) => known.name === name);
  if (task !== undefined) return task;
  throw new FlatminError('FLATMIN_ARGUMENT', `There is no task ${name}`);
}

/** The folder of a comparison's data. */
export function dirOf({ task, folder }: Comparison, options: StudyOptions): string | undefined {
  const dir = options.dirOf(taskOf(task));
  return dir === undefined || folder === undefined ? dir : join(dir, folder);
}

/** What a comparison trains on, of its size. */
export function problemOf(comparison: Comparison, options: StudyOptions): Problem {
  const { examples, testExamples, width } = comparison.sizes[options.size];
  const dir = dirOf(comparison, options);
  return taskOf(comparison.task).load({ dir, examples, testExamples, width });
}
