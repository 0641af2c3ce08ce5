import type { DeviceName } from '../backend/device.ts';
import type { Task } from '../tasks/task.ts';
import type { Size } from './size.ts';

export interface StudyOptions {
  readonly size: Size;
  /** Names of the experiments, comparisons and grids to be run; default all. */
  readonly only?: readonly string[];
  /** Seeds instead of the study's own. */
  readonly seeds?: number;
  /** Tune the contenders first. */
  readonly select: boolean;
  /** The folder of a task's data. */
  readonly dirOf: (task: Task) => string | undefined;
  readonly device: DeviceName;
  /** Of a run that is timed; trials of sweeps have one. */
  readonly threads?: number;
  /** Runs may share the machine with other work: their seconds are those of `paces`. Default false. */
  readonly untimed?: boolean;
  /** Time the steps of methods that ran untimed, on a machine that does nothing else, instead of running. Default false. */
  readonly paces?: boolean;
  /** Trials of sweeps, or parts of experiments, at a time. */
  readonly jobs?: number;
  /** Parts of experiments run in this process instead of in others: for studies that are not among the listed ones. */
  readonly inProcess?: boolean;
  readonly resume: boolean;
  readonly signal: AbortSignal;
  readonly progress: StudyProgress;
}

export interface StudyProgress {
  /** A part begins: so many runs or trials, of which so many are finished. */
  begin(part: string, done: number, of: number): void;
  finished(what: string): void;
}
