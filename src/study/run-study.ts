import { availableParallelism } from 'node:os';
import { openStore } from '../backend/device.ts';
import type { Options } from '../optim/variants.ts';
import { mean } from '../statistics.ts';
import { pointsOf } from '../sweep/space.ts';
import { type SweepOptions, sweep } from '../sweep/sweep.ts';
import { settingsAt, type TaskTrials, type TrialEnvironment } from '../tasks/trials.ts';
import { contend, settingsOf } from './contend.ts';
import { highestOf, Measured } from './measured.ts';
import { measurePaces, pacedRuns } from './paces.ts';
import { provenanceOf } from './provenance.ts';
import { rounded } from './rounded.ts';
import { runExperiment } from './run-experiment.ts';
import type { Comparison, Contender, Grid, Study } from './study.ts';
import type { KeptRun, StudyFolder } from './study-folder.ts';
import type { StudyOptions } from './study-options.ts';
import { dirOf, problemOf, taskOf } from './tasks.ts';

/** Points of a contender's selection are drawn by the same seed for all, and its runs by others. */
const SELECTION_SEED = 1;
const CHOICE = { by: 'validation.accuracy', best: 'max' } as const;
/** How far below the tuned baselines a target lies that is taken from them. */
const MARGIN = 0.01;

/**
 * Runs all of a study that is not yet in its folder. Experiments, grids and selections first, on all cores; then timed
 * runs, one by one.
 */
export async function runStudy(
  study: Study,
  folder: StudyFolder,
  options: StudyOptions,
): Promise<void> {
  folder.define(study.name, options.size, options.resume);
  const wanted = ({ name }: { readonly name: string }) => options.only?.includes(name) ?? true;
  const comparisons = study.comparisons.filter(wanted);
  if (options.paces) {
    for (const comparison of comparisons)
      await measurePaces(comparison, chosenOf(comparison, folder), folder, options);
    return;
  }
  for (const experiment of (study.experiments ?? []).filter(wanted)) {
    const { task } = experiment;
    const dir = task === undefined ? undefined : options.dirOf(taskOf(task));
    await runExperiment(study, experiment, folder, dir, options);
  }
  for (const grid of study.grids.filter(wanted)) await runGrid(grid, folder, options);
  if (options.select) {
    for (const comparison of comparisons) await select(comparison, folder, options);
  }
  for (const comparison of comparisons) await runComparison(comparison, folder, options);
  folder.removeCheckpoints();
}

/** What a study has measured so far. */
export function measuredOf(study: Study, folder: StudyFolder): Measured {
  const runs = pacedRuns(folder);
  const bare = new Measured(runs, {});
  const targets = study.comparisons.map(({ name, target, contenders }) => {
    if (target !== 'tuned') return [name, target] as const;
    const baselines = contenders.filter(({ baseline }) => baseline);
    const best = highestOf(baselines.map((contender) => bare.final(name, contender.name)));
    return [name, mean(best.values) - MARGIN] as const;
  });
  const grids = study.grids.flatMap(({ name }) =>
    [name, usualOf(name)].map((part) => [part, folder.trials('grids', part)] as const),
  );
  const parts = (study.experiments ?? []).map(
    ({ name }) => [name, folder.parts(name).read()] as const,
  );
  return new Measured(
    runs,
    Object.fromEntries(targets),
    Object.fromEntries(grids),
    Object.fromEntries(parts),
  );
}

/** Contenders as they are run: their settings with what a selection chose. */
const chosenOf = ({ name, contenders }: Comparison, folder: StudyFolder): Contender[] =>
  contenders.map((contender) => ({
    ...contender,
    settings: { ...contender.settings, ...folder.chosen[name]?.[contender.name] },
  }));

const usualOf = (grid: string): string => `${grid} default`;

async function runGrid(
  { name, task, method, sizes, usual }: Grid,
  folder: StudyFolder,
  options: StudyOptions,
): Promise<void> {
  const { space, seeds, epochs } = sizes[options.size];
  const found = taskOf(task);
  const context: TaskTrials = {
    task,
    method,
    settings: {},
    schedule: 'constant',
    batch: found.batch,
    epochs,
    source: {},
  };
  const points = Object.fromEntries(Object.entries(usual).map(([key, value]) => [key, [value]]));
  for (const [part, of] of [
    [usualOf(name), points],
    [name, space],
  ] as const) {
    const draws = { space: of, seeds };
    const dir = options.dirOf(found);
    await sweepPart({ part, names: ['grids', part], context, draws, dir }, folder, options);
  }
}

/** Tunes every contender that has a space, from as many points each. */
async function select(
  comparison: Comparison,
  folder: StudyFolder,
  options: StudyOptions,
): Promise<void> {
  const task = taskOf(comparison.task);
  const { selection, width } = comparison.sizes[options.size];
  const { points, epochs, seeds, examples, testExamples } = selection;
  for (const contender of comparison.contenders) {
    if (contender.space === undefined) continue;
    const context: TaskTrials = {
      task: task.name,
      method: contender.method,
      settings: contender.settings,
      schedule: comparison.schedule,
      batch: task.batch,
      epochs,
      source: { examples, testExamples, width },
    };
    const part = `selection of ${contender.name} for ${comparison.name}`;
    const names = ['selection', comparison.name, contender.name];
    const draws = { space: contender.space, random: points, drawSeed: SELECTION_SEED, seeds };
    const { ranking } = await sweepPart(
      { part, names, context, draws, dir: dirOf(comparison, options) },
      folder,
      options,
    );
    const [{ values, done }] = ranking;
    if (done > 0)
      folder.choose(comparison.name, contender.name, only(settingsAt(context, values), values));
  }
}

/** Of all settings those that a point sets. */
const only = (settings: Options, values: Options): Options =>
  Object.fromEntries(
    Object.entries(settings).filter(([name]) =>
      Object.keys(values).some((set) => set.split('.')[0] === name),
    ),
  );

interface Swept {
  /** For people. */
  readonly part: string;
  /** Of its folder in the study's. */
  readonly names: readonly string[];
  readonly context: TaskTrials;
  readonly draws: Pick<SweepOptions, 'space' | 'random' | 'drawSeed' | 'seeds'>;
  /** Of the data. */
  readonly dir: string | undefined;
}

async function sweepPart(
  { part, names, context, draws, dir }: Swept,
  folder: StudyFolder,
  { jobs = availableParallelism(), signal, progress, device }: StudyOptions,
) {
  let begun = false;
  const total = pointsOf(draws.space, draws).length * (draws.seeds ?? 1);
  const swept = await sweep(
    {
      module: new URL('../tasks/trials.js', import.meta.url),
      context,
      environment: {
        dir,
        device,
        threads: 1,
      } satisfies TrialEnvironment,
    },
    {
      ...draws,
      choice: CHOICE,
      jobs,
      out: folder.sweep(...names),
      resume: true,
      signal,
      onTrial: (_, { done, of }) => {
        if (!begun) {
          progress.begin(part, done - 1, of);
          const { backend } = openStore({ device });
          folder.sources.append({ part, provenance: provenanceOf(backend, 1) });
        }
        begun = true;
        progress.finished(part);
      },
    },
  );
  if (!begun) progress.begin(part, total, total);
  return swept;
}

async function runComparison(
  comparison: Comparison,
  folder: StudyFolder,
  options: StudyOptions,
): Promise<void> {
  const task = taskOf(comparison.task);
  const extent = comparison.sizes[options.size];
  const finished = new Set(folder.runs.read().map(keyOf));
  const contenders = chosenOf(comparison, folder);
  const runs = plan(contenders, options.seeds ?? extent.seeds);
  const left = runs.filter(
    ({ contender, seed }) =>
      !finished.has(keyOf({ comparison: comparison.name, contender: contender.name, seed })),
  );
  options.progress.begin(comparison.name, runs.length - left.length, runs.length);
  if (left.length === 0) return;
  const problem = problemOf(comparison, options);
  const { device, threads = availableParallelism(), untimed, signal } = options;
  const { backend } = openStore({ device });
  for (const { contender, seed } of left) {
    const checkpoint = folder.checkpoint(comparison.name, contender.name, seed);
    const { train } = problem.data;
    const run = await contend(comparison, contender, extent, seed, {
      task,
      problem,
      device,
      threads,
      signal,
      checkpoint,
    });
    const kept: KeptRun = {
      ...rounded(run),
      settings: settingsOf(contender),
      data: train.name,
      provenance: provenanceOf(backend, threads),
      ...(untimed && { untimed }),
    };
    folder.runs.append(kept);
    options.progress.finished(`${contender.name}, seed ${seed}`);
  }
}

/** Seed by seed, so that a study that is stopped has something of every contender. */
const plan = (contenders: readonly Contender[], seeds: number) =>
  Array.from({ length: seeds }, (_, seed) =>
    contenders.map((contender) => ({ contender, seed })),
  ).flat();

const keyOf = ({
  comparison,
  contender,
  seed,
}: Pick<KeptRun, 'comparison' | 'contender' | 'seed'>) => `${comparison}/${contender}/${seed}`;
