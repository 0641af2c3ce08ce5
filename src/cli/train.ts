import { join } from 'node:path';
import type { BackendName } from '../backend/backend.ts';
import { openStore } from '../backend/device.ts';
import type { MethodName } from '../tasks/methods.ts';
import type { Task } from '../tasks/task.ts';
import { compare } from './compare.ts';
import { describeRuns } from './describe.ts';
import { interruptible } from './interrupt.ts';
import { loadProblem } from './problem.ts';
import { RunFolder } from './run-folder.ts';
import {
  checkMethodOptions,
  checkTaskOptions,
  chooseSettings,
  type TrainOptions,
} from './settings.ts';

/** Trains one method, or all of them one after the other: results on stdout, progress on stderr. */
export async function train(task: Task, options: TrainOptions): Promise<void> {
  checkTaskOptions(task, options);
  checkMethodOptions(task, options);
  const { backend } = openStore(options);
  const folders = options.optimizer.map((method) => folderOf(method, options));
  const locks: (() => void)[] = [];
  try {
    for (const folder of folders) if (folder !== undefined) locks.push(folder.lock());
    if (!options.resume) for (const folder of folders) folder?.requireUnused();
    await runAll(task, options, { backend, folders });
  } finally {
    for (const release of locks) release();
  }
}

async function runAll(
  task: Task,
  options: TrainOptions,
  { backend, folders }: { backend: BackendName; folders: readonly (RunFolder | undefined)[] },
): Promise<void> {
  const problem = loadProblem(task, options);
  const runs = options.optimizer.map((method, i) => ({
    settings: chooseSettings(task, method, options, { problem, backend }),
    folder: folders[i],
  }));
  const settings = runs.map((run) => run.settings);
  process.stderr.write(`${describeRuns(task, settings)}\n\n`);
  await interruptible((signal) => compare(task, problem, runs, { ...options, signal }));
}

/** A comparison keeps every method in a folder of its own. */
const folderOf = (method: MethodName, { out, optimizer }: TrainOptions): RunFolder | undefined =>
  out === undefined ? undefined : new RunFolder(optimizer.length > 1 ? join(out, method) : out);
