import { z } from 'zod';
import type { BackendName } from '../backend/backend.ts';
import type { DeviceName } from '../backend/device.ts';
import { FlatminError } from '../errors.ts';
import type { Period } from '../optim/schedule.ts';
import type { Options } from '../optim/variants.ts';
import { type Baseline, baselineOf } from '../tasks/baseline.ts';
import { METHOD_NAMES, type MethodName, SHARPNESS_AWARE, variantOf } from '../tasks/methods.ts';
import { SCHEDULES, type ScheduleName } from '../tasks/schedules.ts';
import type { Problem, Task } from '../tasks/task.ts';
import { anyNumber, toJson } from '../train/json-numbers.ts';
import { originSchema } from './origin.ts';

/** What the command line gives. */
export interface TrainOptions {
  readonly optimizer: readonly MethodName[];
  readonly device: DeviceName;
  readonly schedule: ScheduleName;
  readonly seed: number;
  readonly epochs?: number;
  readonly evaluateEvery?: Period;
  readonly batch?: number;
  readonly lr?: number;
  readonly weightDecay?: number;
  readonly rho?: number;
  /** Other options of the method, by name. */
  readonly set?: Options;
  readonly data?: string;
  readonly synthetic?: boolean;
  readonly examples?: number;
  readonly testExamples?: number;
  readonly validation?: boolean;
  readonly width?: number;
  readonly augment?: boolean;
  readonly threads?: number;
  readonly out?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly tensorboard?: boolean;
}

const number = z.number().nonnegative();
const whole = z.int().nonnegative();

export const settingsSchema = z.object({
  task: z.string(),
  optimizer: z.enum(METHOD_NAMES),
  lr: z.union([number, z.literal('model')]),
  weightDecay: number,
  rho: number.optional(),
  schedule: z.enum(SCHEDULES),
  batch: whole,
  epochs: whole,
  seed: whole,
  /** Default every epoch. */
  evaluateEvery: z.object({ epochs: whole.optional(), steps: whole.optional() }).optional(),
  data: z.string(),
  synthetic: z.boolean(),
  examples: whole,
  testExamples: whole,
  /** Whether the test examples were held out of the training data. */
  validation: z.literal(true).optional(),
  /** Of the task's network, where it has a choice. */
  width: whole.optional(),
  /** Whether training images were changed at random. */
  augment: z.literal(true).optional(),
  baseline: z
    .object({ answer: z.string(), metrics: z.record(z.string(), anyNumber) })
    .optional() satisfies z.ZodType<Baseline | undefined>,
  backend: z.string(),
  /** Every option of the method, those above among them. */
  settings: z.record(z.string(), z.unknown()),
});

/** The same as a run's first line has them: runs before there were `settings` and `origin` lack those. */
export const startSchema = settingsSchema
  .partial({ settings: true })
  .extend({ origin: originSchema.optional() });
export type StartSettings = Readonly<z.output<typeof startSchema>>;

/** Everything that decides the outcome of one method's run; the first line of its metrics. */
export type RunSettings = Readonly<z.output<typeof settingsSchema>>;

const climbs = (method: MethodName): boolean => SHARPNESS_AWARE.includes(method);

const FLAGS = { '--lr': 'lr', '--weight-decay': 'weightDecay', '--rho': 'rho' } as const;

/** What the command line sets of a method's options; `--rho` is a radius, where there is one. */
function given(options: TrainOptions, method: MethodName): Options {
  const byFlag = Object.entries(FLAGS)
    .filter(([flag, name]) => options[name] !== undefined && (flag !== '--rho' || climbs(method)))
    .map(([flag, name]) => {
      if (options.set?.[name] === undefined) return [name, options[name]];
      throw refuse(`${flag} and --set ${name} are the same; help: leave one of them out`);
    });
  return { ...Object.fromEntries(byFlag), ...options.set };
}

/** All options of a method: the command line's over the task's over those that are usual. */
const methodSettings = (task: Task, method: MethodName, options: TrainOptions): Options =>
  variantOf(method).settings({ ...task.settings[method], ...given(options, method) });

const refuse = (what: string) => new FlatminError('FLATMIN_ARGUMENT', what);

/** Refuses options that the task does not have. */
export function checkTaskOptions(
  { name, network, width, augmentation }: Task,
  options: Pick<TrainOptions, 'width' | 'augment'>,
): void {
  if (options.width !== undefined && width === undefined) {
    throw refuse(`--width is not for ${name}, whose ${network} has one size`);
  }
  if (options.augment && augmentation === undefined) {
    throw refuse(`--augment is not for ${name}, which has no augmentation`);
  }
}

/** Refuses options that the methods to be run do not have. */
export function checkMethodOptions(task: Task, options: TrainOptions): void {
  const { optimizer, lr, weightDecay, rho, set } = options;
  if (rho !== undefined && !optimizer.some(climbs)) {
    throw refuse(
      `--rho belongs to ${SHARPNESS_AWARE.join(', ')}, and the optimizer is ${optimizer.join(',')}`,
    );
  }
  const own = { '--lr': lr, '--weight-decay': weightDecay, '--set': set };
  for (const [name, value] of Object.entries(own)) {
    if (value === undefined || optimizer.length === 1) continue;
    throw refuse(
      `${name} belongs to one method, and --optimizer names ${optimizer.length}; help: name one`,
    );
  }
  for (const method of optimizer) {
    const settings = methodSettings(task, method, options);
    if (settings.lr !== 'model' || options.schedule === 'constant') continue;
    throw refuse(
      `--schedule ${options.schedule} needs a rate, and --set lr=model takes the model's`,
    );
  }
}

/** Everything that decides a run: the task's choices with the command line's put over them. */
export function chooseSettings(
  task: Task,
  optimizer: MethodName,
  options: TrainOptions,
  { problem, backend }: { problem: Problem; backend: BackendName },
): RunSettings {
  const settings = methodSettings(task, optimizer, options);
  const { train, test } = problem.data;
  const width = options.width ?? task.width;
  const { lr, weightDecay, rho } = settings as Pick<RunSettings, 'lr' | 'weightDecay' | 'rho'>;
  return {
    task: task.name,
    optimizer,
    lr,
    weightDecay,
    ...(climbs(optimizer) && { rho }),
    schedule: options.schedule,
    batch: options.batch ?? task.batch,
    epochs: options.epochs ?? task.epochs,
    seed: options.seed,
    ...(options.evaluateEvery && { evaluateEvery: options.evaluateEvery }),
    data: train.name,
    synthetic: train.synthetic,
    examples: train.count,
    testExamples: test.count,
    ...(options.validation && { validation: true as const }),
    ...(width !== undefined && { width }),
    ...(options.augment && { augment: true as const }),
    baseline: baselineOf(problem),
    backend,
    settings,
  };
}

/**
 * What `--resume` must not change, said by name. A run may become longer or shorter, unless its learning rate follows
 * the number of epochs.
 */
export function requireSameSettings(now: RunSettings, before: StartSettings, file: string): void {
  const [is, was] = [flat(now), flat(before)];
  const names = new Set([...Object.keys(was), ...Object.keys(is)]);
  const differing = [...names].filter((name) => {
    if (name.startsWith('settings.') && before.settings === undefined) return false;
    return was[name] !== is[name] && !(name === 'epochs' && now.schedule === 'constant');
  });
  if (differing.length === 0) return;
  const changes = differing.map((name) => `${name} ${was[name]}, not ${is[name]}`);
  const why = differing.includes('epochs') ? ' (a cosine ends with the last epoch)' : '';
  throw new FlatminError(
    'FLATMIN_CHECKPOINT',
    `${file} is of a run with ${changes.join('; ')}${why}; help: resume with the same options, or choose another --out`,
  );
}

/** The texts of all settings by name, as they are written. */
function flat(run: StartSettings): Record<string, string> {
  const { settings: _, ...shape } = settingsSchema.shape;
  const names = Object.keys(shape) as (keyof typeof shape)[];
  const own = Object.entries(run.settings ?? {}).filter(
    ([name]) => run[name as keyof StartSettings] === undefined,
  );
  const all = [
    ...names.map((name) => [name, run[name]] as const),
    ...own.map(([name, x]) => [`settings.${name}`, x] as const),
  ];
  const written = all.filter(([, x]) => x !== undefined).map(([name, x]) => [name, textOf(x)]);
  return Object.fromEntries(written);
}

function textOf(value: unknown): string {
  const json = toJson(value);
  const read: unknown = JSON.parse(json);
  return typeof read === 'string' ? read : json;
}
