import { availableParallelism } from 'node:os';
import { openStore } from '../backend/device.ts';
import { median } from '../statistics.ts';
import { contend } from './contend.ts';
import type { Run } from './measured.ts';
import { provenanceOf } from './provenance.ts';
import { rounded } from './rounded.ts';
import type { Comparison, Contender } from './study.ts';
import type { KeptRun, Pace, StudyFolder } from './study-folder.ts';
import type { StudyOptions } from './study-options.ts';
import { problemOf, taskOf } from './tasks.ts';

/** How often each is timed. */
const ROUNDS = 3;

/**
 * Times the first epoch of every contender that has untimed runs, in turn, so that what slows the machine for a while slows
 * all of them. What it costs to begin, as the first roots and bases, is part of it, as it is of every run.
 */
export async function measurePaces(
  comparison: Comparison,
  contenders: readonly Contender[],
  folder: StudyFolder,
  options: StudyOptions,
): Promise<void> {
  const { name } = comparison;
  const ran = new Set(untimedOf(folder, name).map(({ contender }) => contender));
  const done = new Set(folder.paces.read().map(keyOf));
  const all = Array.from({ length: ROUNDS }, (_, round) =>
    contenders.filter((own) => ran.has(own.name)).map((contender) => ({ contender, round })),
  ).flat();
  const left = all.filter(
    ({ contender, round }) =>
      !done.has(keyOf({ comparison: name, contender: contender.name, round })),
  );
  options.progress.begin(`pace of ${name}`, all.length - left.length, all.length);
  if (left.length === 0) return;
  const { size, device, threads = availableParallelism(), signal } = options;
  const task = taskOf(comparison.task);
  const problem = problemOf(comparison, options);
  const steps = Math.ceil(problem.data.train.count / task.batch);
  const extent = { ...comparison.sizes[size], epochs: 1, evaluateEvery: steps };
  const { backend } = openStore({ device });
  for (const { contender, round } of left) {
    const timing = { task, problem, device, threads, signal };
    const { epochs } = await contend(comparison, contender, extent, round, timing);
    // One that diverges at once has none, and no use for it.
    if (epochs.length > 0) {
      const [{ seconds }] = epochs;
      const pace = { comparison: name, contender: contender.name, round, steps, seconds };
      folder.paces.append({ ...rounded(pace), provenance: provenanceOf(backend, threads) });
    }
    options.progress.finished(`${contender.name}, round ${round}`);
  }
}

/** Finished runs, untimed ones with the seconds that their steps take by the paces; NaN where these are not measured. */
export function pacedRuns(folder: StudyFolder): Run[] {
  const paces = folder.paces.read();
  return folder.runs.read().map((run) => {
    if (!run.untimed) return run;
    const own = paces.filter(
      ({ comparison, contender }) => comparison === run.comparison && contender === run.contender,
    );
    return atPace(run, median(own.map(({ steps, seconds }) => seconds / steps)));
  });
}

function atPace(run: KeptRun, secondsOfStep: number): Run {
  const [first] = run.curve;
  const stepsOfEpoch = first === undefined ? Number.NaN : first.step / first.epoch;
  return {
    ...run,
    curve: run.curve.map((point) => ({ ...point, seconds: point.step * secondsOfStep })),
    epochs: run.epochs.map((epoch) => ({ ...epoch, seconds: stepsOfEpoch * secondsOfStep })),
  };
}

const untimedOf = (folder: StudyFolder, comparison: string): KeptRun[] =>
  folder.runs.read().filter((run) => run.untimed && run.comparison === comparison);

const keyOf = ({
  comparison,
  contender,
  round,
}: Pick<Pace, 'comparison' | 'contender' | 'round'>) => `${comparison}/${contender}/${round}`;
