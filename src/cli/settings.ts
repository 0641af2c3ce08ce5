import { z } from 'zod';
import type { BackendName } from '../backend/backend.ts';
import type { DeviceName } from '../backend/device.ts';
import type { Dataset } from '../data/dataset.ts';
import { FlatminError } from '../errors.ts';
import { METHOD_NAMES, type MethodName, SHARPNESS_AWARE } from '../tasks/methods.ts';
import type { Task } from '../tasks/task.ts';
import type { TrainingData } from '../train/training.ts';

/** What the command line gives. */
export interface TrainOptions {
  readonly optimizer: readonly MethodName[];
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

const number = z.number().nonnegative();
const whole = z.int().nonnegative();

export const settingsSchema = z.object({
  task: z.string(),
  optimizer: z.enum(METHOD_NAMES),
  lr: number,
  weightDecay: number,
  rho: number.optional(),
  schedule: z.enum(SCHEDULES),
  batch: whole,
  epochs: whole,
  seed: whole,
  data: z.string(),
  synthetic: z.boolean(),
  examples: whole,
  testExamples: whole,
  backend: z.string(),
});

/** Everything that decides the outcome of one method's run; the first line of its metrics. */
export type RunSettings = Readonly<z.output<typeof settingsSchema>>;

/** Refuses options that the methods to be run do not have. */
export function checkMethodOptions({ optimizer, lr, weightDecay, rho }: TrainOptions): void {
  const refuse = (what: string) => new FlatminError('FLATMIN_ARGUMENT', what);
  if (rho !== undefined && !optimizer.some((method) => SHARPNESS_AWARE.includes(method))) {
    throw refuse(
      `--rho belongs to ${SHARPNESS_AWARE.join(', ')}, and the optimizer is ${optimizer.join(',')}`,
    );
  }
  for (const [name, value] of Object.entries({ '--lr': lr, '--weight-decay': weightDecay })) {
    if (value === undefined || optimizer.length === 1) continue;
    throw refuse(
      `${name} belongs to one method, and --optimizer names ${optimizer.length}; help: name one`,
    );
  }
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

/**
 * What `--resume` must not change, said by name. A run may become longer or shorter, unless its learning rate follows
 * the number of epochs.
 */
export function requireSameSettings(now: RunSettings, before: RunSettings, file: string): void {
  const differing = SETTINGS.filter(
    (name) => before[name] !== now[name] && !(name === 'epochs' && now.schedule === 'constant'),
  );
  if (differing.length === 0) return;
  const changes = differing.map((name) => `${name} ${before[name]}, not ${now[name]}`);
  const why = differing.includes('epochs') ? ' (a cosine ends with the last epoch)' : '';
  throw new FlatminError(
    'FLATMIN_CHECKPOINT',
    `${file} is of a run with ${changes.join('; ')}${why}; help: resume with the same options, or choose another --out`,
  );
}

const SETTINGS = Object.keys(settingsSchema.shape) as (keyof RunSettings)[];
