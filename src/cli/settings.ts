import type { BackendName } from '../backend/backend.ts';
import type { DeviceName } from '../backend/device.ts';
import type { Dataset } from '../data/dataset.ts';
import { FlatminError } from '../errors.ts';
import { COMPARED, type MethodName, SHARPNESS_AWARE } from '../tasks/methods.ts';
import type { Task } from '../tasks/task.ts';
import type { TrainingData } from '../train/training.ts';

/** What the command line gives. */
export interface TrainOptions {
  readonly optimizer: MethodName | 'all';
  readonly device: DeviceName;
  readonly schedule: Schedule;
  readonly seed: number;
  readonly epochs?: number;
  readonly batch?: number;
  readonly lr?: number;
  readonly weightDecay?: number;
  readonly rho?: number;
  readonly data?: string;
  readonly synthetic?: boolean;
  readonly examples?: number;
  readonly testExamples?: number;
  readonly threads?: number;
  readonly out?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

export const SCHEDULES = ['constant', 'cosine'] as const;
export type Schedule = (typeof SCHEDULES)[number];

/** Everything that decides the outcome of one method's run; the first line of its metrics. */
export interface RunSettings {
  readonly task: string;
  readonly optimizer: MethodName;
  readonly lr: number;
  readonly weightDecay: number;
  readonly rho?: number;
  readonly schedule: Schedule;
  readonly batch: number;
  readonly epochs: number;
  readonly seed: number;
  readonly data: string;
  readonly synthetic: boolean;
  readonly examples: number;
  readonly testExamples: number;
  readonly backend: BackendName;
}

/** The methods to be run; refuses options that they do not have. */
export function chooseMethods({
  optimizer,
  lr,
  weightDecay,
  rho,
}: TrainOptions): readonly MethodName[] {
  const refuse = (what: string) => new FlatminError('FLATMIN_ARGUMENT', what);
  if (optimizer !== 'all') {
    if (rho !== undefined && !SHARPNESS_AWARE.includes(optimizer)) {
      throw refuse(
        `--rho belongs to ${SHARPNESS_AWARE.join(', ')}, and the optimizer is ${optimizer}`,
      );
    }
    return [optimizer];
  }
  for (const [name, value] of Object.entries({ '--lr': lr, '--weight-decay': weightDecay })) {
    if (value === undefined) continue;
    throw refuse(
      `${name} belongs to one method, and --optimizer all runs ${COMPARED.length}; help: name one`,
    );
  }
  return COMPARED;
}

/** The task's setting of a method with the command line's put over it. */
export function chooseSettings(
  task: Task,
  optimizer: MethodName,
  options: TrainOptions,
  { data, backend }: { data: Required<TrainingData<Dataset>>; backend: BackendName },
): RunSettings {
  const { lr, weightDecay, rho } = task.settings[optimizer];
  return {
    task: task.name,
    optimizer,
    lr: options.lr ?? lr,
    weightDecay: options.weightDecay ?? weightDecay,
    ...(rho !== undefined && { rho: options.rho ?? rho }),
    schedule: options.schedule,
    batch: options.batch ?? task.batch,
    epochs: options.epochs ?? task.epochs,
    seed: options.seed,
    data: data.train.name,
    synthetic: data.train.synthetic,
    examples: data.train.count,
    testExamples: data.test.count,
    backend,
  };
}

/** What `--resume` must not change, said by name. */
export function requireSameSettings(now: RunSettings, saved: object, file: string): void {
  const before = saved as Record<string, unknown>;
  const differing = Object.entries(now).filter(([name, value]) => before[name] !== value);
  if (differing.length === 0) return;
  const changes = differing.map(([name, value]) => `${name} ${before[name]}, not ${value}`);
  throw new FlatminError(
    'FLATMIN_CHECKPOINT',
    `${file} is of a run with ${changes.join('; ')}; help: resume with the same options, or choose another --out`,
  );
}
