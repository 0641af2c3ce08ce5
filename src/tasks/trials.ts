import type { DeviceName } from '../backend/device.ts';
import { fit } from '../doors/fit.ts';
import { FlatminError } from '../errors.ts';
import type { Options } from '../optim/variants.ts';
import type { LocalWork } from '../sweep/local-runner.ts';
import type { Point } from '../sweep/space.ts';
import type { Measures } from '../sweep/trial.ts';
import type { Evaluation } from '../train/evaluate.ts';
import { type MethodName, makeOptimizer, variantOf } from './methods.ts';
import { type ScheduleName, scheduled } from './schedules.ts';
import type { DataSource } from './task.ts';
import { TASKS } from './tasks.ts';

/** What the trials of a sweep over a method on a task share, as JSON can hold it. */
export interface TaskTrials {
  readonly task: string;
  readonly method: MethodName;
  /** Of the method, under those that a trial varies. */
  readonly settings: Options;
  readonly schedule: ScheduleName;
  readonly batch: number;
  readonly epochs: number;
  readonly source: Omit<DataSource, 'dir' | 'validation'>;
}

/** Where they run. */
export interface TrialEnvironment extends Pick<DataSource, 'dir'> {
  readonly device: DeviceName;
  readonly threads: number;
}

/** The options of a method at a point: its names may reach into an object or a list, as `betas.0`. */
export function settingsAt({ method, settings }: TaskTrials, point: Point): Options {
  let all = variantOf(method).settings(settings);
  for (const [name, value] of Object.entries(point)) {
    all = withValue(all, name.split('.'), value, `${method} has no option ${name}`) as Options;
  }
  return variantOf(method).settings(all);
}

function withValue(held: unknown, [name, ...inner]: string[], value: unknown, no: string): unknown {
  if (name === undefined) return value;
  if (typeof held !== 'object' || held === null) throw new FlatminError('FLATMIN_ARGUMENT', no);
  const own = (held as Record<string, unknown>)[name];
  if (Array.isArray(held)) {
    if (own === undefined) throw new FlatminError('FLATMIN_ARGUMENT', no);
    return held.map((x, i) => (String(i) === name ? withValue(x, inner, value, no) : x));
  }
  return { ...held, [name]: withValue(own, inner, value, no) };
}

/** Trains the task at a trial's point and measures it on validation rows and, by nothing chosen, on the test data. */
export default function taskTrials(
  context: TaskTrials,
  { dir, device, threads }: TrialEnvironment,
): LocalWork {
  const { schedule, batch, epochs } = context;
  const task = TASKS.find(({ name }) => name === context.task);
  if (task === undefined) {
    throw new FlatminError('FLATMIN_ARGUMENT', `There is no task ${context.task}`);
  }
  const { model, data, loss, metrics, final } = task.load({
    ...context.source,
    dir,
    validation: true,
  });
  return async ({ values, seed }) => {
    const settings = settingsAt(context, values);
    const lr = scheduled(schedule, settings.lr as number | 'model', epochs);
    const fitted = await fit(model, data, {
      optimizer: makeOptimizer(context.method, { ...settings, lr }),
      loss,
      metrics,
      batch,
      epochs,
      seed,
      device,
      threads,
      evaluateEvery: { epochs },
    });
    const last = fitted.history[fitted.history.length - 1];
    return {
      trainLoss: last.trainLoss,
      trainSeconds: fitted.history.reduce((sum, { epochSeconds }) => sum + epochSeconds, 0),
      ...named('validation', { loss: last.testLoss as number, metrics: last.metrics ?? {} }),
      ...(final && named('test', await fitted.model.evaluate(final, { metrics }))),
    };
  };
}

const named = (set: string, { loss, metrics }: Evaluation): Measures =>
  Object.fromEntries(
    Object.entries({ loss, ...metrics }).map(([name, value]) => [`${set}.${name}`, value]),
  );
