import { availableParallelism } from 'node:os';
import type { DeviceName } from '../backend/device.ts';
import { FlatminError } from '../errors.ts';
import type { Options } from '../optim/variants.ts';
import { mergeSweeps } from '../sweep/merge.ts';
import type { Choice, Ranked } from '../sweep/rank.ts';
import { pointsOf, type Space } from '../sweep/space.ts';
import { type Swept, sweep } from '../sweep/sweep.ts';
import type { Finished } from '../sweep/trial.ts';
import type { MethodName } from '../tasks/methods.ts';
import type { ScheduleName } from '../tasks/schedules.ts';
import type { Task } from '../tasks/task.ts';
import { settingsAt, type TaskTrials, type TrialEnvironment } from '../tasks/trials.ts';
import { toJson } from '../train/json-numbers.ts';
import { howToGoOn } from './go-on.ts';
import { interruptible } from './interrupt.ts';
import { findData } from './problem.ts';
import { checkTaskOptions } from './settings.ts';
import { columns } from './table.ts';
import { workProgress } from './work-progress.ts';

export interface SweepCommandOptions extends Choice {
  readonly optimizer: MethodName;
  readonly grid?: Space;
  readonly random?: number;
  readonly drawSeed: number;
  readonly seeds: number;
  readonly set?: Options;
  readonly schedule: ScheduleName;
  readonly epochs?: number;
  readonly batch?: number;
  readonly width?: number;
  readonly augment?: boolean;
  readonly data?: string;
  readonly synthetic?: boolean;
  readonly examples?: number;
  readonly testExamples?: number;
  readonly device: DeviceName;
  readonly jobs?: number;
  readonly threads: number;
  readonly shard?: readonly [number, number];
  readonly out?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

/** Sweeps over a method's options on a task: progress on stderr, the best points on stdout. */
export async function sweepTask(task: Task, options: SweepCommandOptions): Promise<void> {
  checkTaskOptions(task, options);
  const { grid: space = {}, random, drawSeed, seeds, by, best, shard, out, resume, json } = options;
  const context = trialsOf(task, options);
  // A sweep of hours is not to end at its first trial for an option that does not exist.
  const points = pointsOf(space, { random, drawSeed });
  for (const point of points) settingsAt(context, point);
  const { jobs = availableParallelism() } = options;
  const progress = workProgress(process.stderr, 'trials');
  await interruptible(async (signal) => {
    process.stderr.write(
      `${task.name}: ${points.length} points of ${context.method} × ${seeds} seeds, ${context.epochs} epochs each, ${jobs} at a time\n`,
    );
    try {
      const swept = await sweep(
        {
          module: new URL('../tasks/trials.js', import.meta.url),
          context,
          environment: {
            dir: findData(task, options),
            device: options.device,
            threads: options.threads,
          } satisfies TrialEnvironment,
        },
        {
          space,
          ...(random !== undefined && { random, drawSeed }),
          seeds,
          choice: { by, best },
          jobs,
          shard,
          out,
          resume,
          signal,
          onTrial: (trial, counts) => {
            progress.tell(counts);
            if (json) process.stdout.write(`${toJson(trial)}\n`);
          },
        },
      );
      progress.end();
      if (!json) process.stdout.write(`${describeSwept(swept, { by, best })}\n`);
    } catch (error) {
      progress.end();
      const stopped = error instanceof FlatminError && error.code === 'FLATMIN_ABORTED';
      throw stopped ? howToGoOn(error, options) : error;
    }
  });
}

export function mergeCommand(dirs: readonly string[], { out, by, best }: Choice & { out: string }) {
  process.stdout.write(`${describeSwept(mergeSweeps(dirs, out, { by, best }), { by, best })}\n`);
}

function trialsOf(task: Task, options: SweepCommandOptions): TaskTrials {
  const { optimizer, set, schedule, batch, epochs, examples, testExamples } = options;
  const { width, augment } = options;
  return {
    task: task.name,
    method: optimizer,
    settings: { ...task.settings[optimizer], ...set },
    schedule,
    batch: batch ?? task.batch,
    epochs: epochs ?? task.epochs,
    source: { examples, testExamples, width, augment },
  };
}

const SHOWN = 10;

/** The best points, and what became of the rest. */
function describeSwept({ ranking, trials }: Swept, { by, best }: Choice): string {
  const names = Object.keys(ranking[0]?.values ?? {});
  const row = ({ values, mean, deviation, done, tried }: Ranked) => [
    ...names.map((name) => textOf(values[name])),
    `${mean.toFixed(4)}${Number.isNaN(deviation) ? '' : ` ± ${deviation.toFixed(4)}`}`,
    `${done}/${tried}`,
  ];
  const header = [[...names, by, 'done']];
  const count = (status: Finished['status']) =>
    trials.filter((trial) => trial.status === status).length;
  const title = `The best of ${ranking.length} points by ${best === 'max' ? 'largest' : 'least'} ${by}; ${trials.length} trials, ${count('diverged')} diverged, ${count('failed')} failed`;
  const reason = trials.find(({ status }) => status === 'failed')?.reason;
  return [
    title,
    '',
    columns(header, ranking.slice(0, SHOWN).map(row)),
    ...(reason === undefined ? [] : ['', `The first that failed: ${reason}`]),
  ].join('\n');
}

const textOf = (value: unknown): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(6))) : toJson(value);
