import { availableParallelism } from 'node:os';
import { openStore } from '../backend/device.ts';
import { FlatminError } from '../errors.ts';
import { localRunner } from '../sweep/local-runner.ts';
import { processRunner } from '../sweep/process-runner.ts';
import { runAll } from '../sweep/run-all.ts';
import type { Trial } from '../sweep/trial.ts';
import type { Experiment } from './experiment.ts';
import { type ExperimentParts, type PartEnvironment, partsOf } from './experiment-parts.ts';
import { type Entries, partKey, type Setting } from './part.ts';
import { provenanceOf } from './provenance.ts';
import { rounded } from './rounded.ts';
import type { Study } from './study.ts';
import type { StudyFolder } from './study-folder.ts';
import type { StudyOptions } from './study-options.ts';

const MODULE = new URL('./experiment-parts.js', import.meta.url);

/** Runs the parts of an experiment that are not in the study's folder yet. */
export async function runExperiment(
  study: Study,
  experiment: Experiment,
  folder: StudyFolder,
  dir: string | undefined,
  options: StudyOptions,
): Promise<void> {
  const { name, alone, sizes } = experiment;
  const { size, device, signal, progress, inProcess, jobs = availableParallelism() } = options;
  const { settings, seeds } = sizes[size];
  const trials = settings.flatMap((values, point) =>
    Array.from({ length: options.seeds ?? seeds }, (_, seed): Trial => ({ point, values, seed })),
  );
  const journal = folder.parts(name);
  const finished = new Set(journal.read().map(partKey));
  const left = trials.filter((trial) => !finished.has(keyOf(trial)));
  progress.begin(name, trials.length - left.length, trials.length);
  if (left.length === 0) return;
  const threads = alone ? (options.threads ?? availableParallelism()) : 1;
  const { backend } = openStore({ device });
  folder.sources.append({ part: name, provenance: provenanceOf(backend, threads) });
  const environment: PartEnvironment = { size, dir, device, threads };
  const context: ExperimentParts = { study: study.name, experiment: name };
  const atATime = alone ? 1 : jobs;
  const runner = inProcess
    ? localRunner(partsOf(experiment, environment), atATime)
    : processRunner({ module: MODULE, context, environment }, atATime);
  await runAll(left, runner, { what: 'study', signal }, (trial, outcome) => {
    const { status, measures, seconds, reason } = outcome;
    if (status !== 'done') {
      throw new FlatminError('FLATMIN_ARGUMENT', `${name}, ${keyOf(trial)}: ${reason}`);
    }
    const entries = rounded(measures as Entries);
    journal.append({ setting: trial.values as Setting, seed: trial.seed, entries, seconds });
    progress.finished(keyOf(trial));
  });
}

const keyOf = ({ values, seed }: Trial) => partKey({ setting: values as Setting, seed });
