import { availableParallelism } from 'node:os';
import { checkNames, checkText, checkWhole, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { type LocalWork, localRunner } from './local-runner.ts';
import { type ModuleWork, processRunner } from './process-runner.ts';
import { type Choice, checkChoice, type Ranked, rank } from './rank.ts';
import { runAll } from './run-all.ts';
import { type Draws, pointsOf, type Space } from './space.ts';
import { SweepFolder } from './sweep-folder.ts';
import { type Finished, keyOf, type Measures, type Outcome } from './trial.ts';

/**
 * Options of a sweep: what is varied, over how many seeds, what ranks the points, and where trials are kept. An unknown
 * option is `FLATMIN_ARGUMENT`.
 */
export interface SweepOptions extends Draws {
  /** What is varied, by name: lists of values, or ranges of numbers. */
  readonly space: Space;
  /** How many seeds every point is tried with, 0 the first. Default 1. */
  readonly seeds?: number;
  /** By which points are ranked: one of the measures, and whether the largest (`max`) or the smallest (`min`) is best. */
  readonly choice: Choice;
  /** Trials at a time. Default as many as there are cores. */
  readonly jobs?: number;
  /**
   * The part i of n of the trials, as [i, n], i from 1: sweeps of the same options with other parts make up the whole.
   * Default: all trials.
   */
  readonly shard?: readonly [number, number];
  /** Folder for the trials as they end, in which a sweep that was stopped goes on. Default: no file is written. */
  readonly out?: string;
  /** Go on with the sweep in `out`, if there is one. Default false. */
  readonly resume?: boolean;
  /** Stops the sweep: trials under way are given up, and `sweep` throws `FLATMIN_ABORTED`. Default none. */
  readonly signal?: AbortSignal;
  /** Told of every trial as it ends, how many have, and how many there are. Default none. */
  readonly onTrial?: (trial: Finished, progress: { done: number; of: number }) => void;
}

/** What `sweep` resolves to. */
export interface Swept {
  /** Points by their mean over seeds, the best first; those of which no seed was done come last. */
  readonly ranking: readonly Ranked[];
  /** By point and seed. */
  readonly trials: readonly Finished[];
}

/**
 * Tries points of a space with several seeds. `work` is a function from a trial to what it measured, which runs in this
 * process, or a module whose default export makes such a function, which runs in processes of its own: one that dies is
 * replaced and its trial repeated once, then reported as failed. What a trial throws is recorded, not thrown;
 * `FLATMIN_NUMERICS` counts as diverged.
 */
export async function sweep(work: LocalWork | ModuleWork, options: SweepOptions): Promise<Swept> {
  const { choice, folder, trials, jobs, signal, onTrial } = plan(work, options);
  const release = folder?.lock();
  try {
    folder?.define(definitionOf(work, options), options.resume ?? false);
    const before = folder?.trials.read() ?? [];
    const known = new Set(trials.map(keyOf));
    const stranger = before.find((trial) => !known.has(keyOf(trial)));
    if (stranger !== undefined) {
      throw new FlatminError(
        'FLATMIN_CHECKPOINT',
        `${folder?.trials.path} has point ${stranger.point}, seed ${stranger.seed}, which is none of this sweep's trials; help: choose another folder`,
      );
    }
    const finished = new Map(before.map((trial) => [keyOf(trial), trial]));
    const left = trials.filter((trial) => !finished.has(keyOf(trial)));
    if (left.length > 0) {
      const runner =
        typeof work === 'function' ? localRunner(work, jobs) : processRunner(work, jobs);
      await runAll(left, runner, { what: 'sweep', signal }, (trial, outcome) => {
        const ended: Finished = { ...trial, ...checked(outcome) };
        finished.set(keyOf(trial), ended);
        folder?.trials.append(ended);
        onTrial?.(ended, { done: finished.size, of: trials.length });
      });
    }
    const all = trials.flatMap((trial) => finished.get(keyOf(trial)) ?? []);
    folder?.writeTable(all);
    return { trials: all, ranking: rank(all, choice) };
  } finally {
    release?.();
  }
}

/** A trial whose function returned something else has failed. */
function checked({ measures, ...outcome }: Outcome<unknown>): Outcome {
  const fits = typeof measures === 'object' && measures !== null && !Array.isArray(measures);
  if (fits && Object.values(measures).every((x) => typeof x === 'number')) {
    return { ...outcome, measures: measures as Measures };
  }
  const reason = wrongArgument('What a trial measured', 'an object of numbers', measures).message;
  return { status: 'failed', measures: {}, seconds: outcome.seconds, reason };
}

/** What a folder must be of for a sweep to go on in it. */
function definitionOf(work: LocalWork | ModuleWork, options: SweepOptions): object {
  const { space, random, drawSeed, seeds = 1, shard } = options;
  const context = typeof work === 'function' ? undefined : work.context;
  return {
    space,
    random,
    drawSeed: random === undefined ? undefined : (drawSeed ?? 0),
    seeds,
    shard,
    context,
  };
}

/** Checked options, and the trials that they name. */
function plan(work: LocalWork | ModuleWork, options: SweepOptions) {
  checkNames<SweepOptions>('sweep', options, {
    space: true,
    random: true,
    drawSeed: true,
    seeds: true,
    choice: true,
    jobs: true,
    shard: true,
    out: true,
    resume: true,
    signal: true,
    onTrial: true,
  });
  if (typeof work !== 'function') {
    checkNames<ModuleWork>('the work of a sweep', work, {
      module: true,
      context: true,
      environment: true,
    });
  }
  const seeds = checkWhole('seeds', options.seeds ?? 1, 1);
  const jobs = checkWhole('jobs', options.jobs ?? availableParallelism(), 1);
  if (options.out !== undefined) checkText('out', options.out);
  const shard = checkShard(options.shard ?? [1, 1]);
  const trials = pointsOf(options.space, options)
    .flatMap((values, point) =>
      Array.from({ length: seeds }, (_, seed) => ({ point, values, seed })),
    )
    .filter((_, i) => i % shard[1] === shard[0] - 1);
  return {
    choice: checkChoice(options.choice),
    trials,
    jobs,
    folder: options.out === undefined ? undefined : new SweepFolder(options.out),
    signal: options.signal,
    onTrial: options.onTrial,
  };
}

function checkShard(shard: readonly [number, number]): readonly [number, number] {
  const [part, of] = Array.isArray(shard) ? (shard as unknown[]) : [];
  if (isCount(part) && isCount(of) && part <= of) return shard;
  throw wrongArgument('shard', '[i, n], whole numbers with 1 ≤ i ≤ n', shard);
}

const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 1;
