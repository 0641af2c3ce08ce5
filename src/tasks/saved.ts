import { ZodError } from 'zod';
import { FlatminError } from '../errors.ts';
import { firstFault, toJson } from '../train/json-numbers.ts';
import { readModel } from '../train/model-file.ts';
import type { Problem, Reader, Task } from './task.ts';
import { TASKS } from './tasks.ts';

/** Names in a model's metadata. */
const [TASK, PROBLEM] = ['task', 'problem'];

/** What a model of a task is saved with. */
export const metadataOf = ({ name }: Task, { saved }: Problem): Record<string, string> => ({
  [TASK]: name,
  [PROBLEM]: toJson(saved),
});

/** The task of a model's file and what reads its inputs; `FLATMIN_DATA` where `train` did not write the file. */
export function readerOf(path: string): { task: Task; reader: Reader } {
  const { metadata } = readModel(path);
  const refuse = (why: string) =>
    new FlatminError(
      'FLATMIN_DATA',
      `${path}: ${why}; help: name a model that "flatmin train --out" wrote`,
    );
  const task = TASKS.find(({ name }) => name === metadata[TASK]);
  if (task === undefined) throw refuse('it does not say of which task it is');
  try {
    return { task, reader: task.open(JSON.parse(metadata[PROBLEM])) };
  } catch (error) {
    const why = error instanceof ZodError ? firstFault(error) : (error as Error).message;
    throw refuse(`its metadata.${PROBLEM} is none of ${task.name}, ${why}`);
  }
}
