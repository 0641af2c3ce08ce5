import { fit } from '../doors/fit.ts';
import { FlatminError } from '../errors.ts';
import { makeOptimizer } from '../tasks/methods.ts';
import { metadataOf } from '../tasks/saved.ts';
import { scheduled } from '../tasks/schedules.ts';
import type { Problem, Task } from '../tasks/task.ts';
import type { EpochMetrics, StepEvaluation } from '../train/checkpoint.ts';
import { origin } from './origin.ts';
import { type Result, summarise } from './result.ts';
import type { KeptEvent, RunEvent, Sink } from './run-events.ts';
import { folderSink, type RunFolder } from './run-folder.ts';
import { type RunSettings, requireSameSettings, type TrainOptions } from './settings.ts';

/** What is written at the end of a run. */
const PROMPT = '\n';
const SAMPLE = { count: 400, temperature: 0.8 };

export interface RunOptions extends Pick<TrainOptions, 'device' | 'threads' | 'resume'> {
  readonly folder: RunFolder | undefined;
  /** Get every event, those of a resumed run's past included; the folder's comes before them. */
  readonly sinks: readonly Sink[];
  readonly signal: AbortSignal;
}

/** Trains one method to the end, or as far as `signal` lets it; a finished run is only told again. */
export async function runMethod(
  task: Task,
  problem: Problem,
  settings: RunSettings,
  { folder, sinks, signal, device, threads, resume = false }: RunOptions,
): Promise<Result> {
  const { optimizer, lr, batch, epochs, seed, synthetic, evaluateEvery } = settings;
  const all = folder === undefined ? sinks : [folderSink(folder), ...sinks];
  const tell = (...events: RunEvent[]) => {
    for (const sink of all) for (const event of events) sink.take(event);
  };
  const watchers = all.filter(({ steps }) => steps);
  const saved = folder !== undefined && resume ? folder.events() : [];
  const [start] = saved;
  if (start?.event === 'start') {
    requireSameSettings(settings, start, (folder as RunFolder).metrics);
  }
  const last = saved.at(-1);
  if (last?.event === 'result' && start.event === 'start' && start.epochs === epochs) {
    tell(...saved);
    return last;
  }
  const run = { optimizer, synthetic };
  const toEpoch = (metrics: EpochMetrics) => ({ event: 'epoch' as const, ...run, ...metrics });
  const toEvaluation = (evaluation: StepEvaluation) => ({
    event: 'evaluation' as const,
    ...run,
    ...evaluation,
  });
  const rate = scheduled(settings.schedule, lr, epochs);
  try {
    const { model, history, stopped } = await fit(problem.model, problem.data, {
      optimizer: makeOptimizer(optimizer, { ...settings.settings, lr: rate }),
      loss: problem.loss,
      metrics: problem.metrics,
      batch,
      epochs,
      seed,
      device,
      threads,
      signal,
      checkpoint: folder?.checkpoint,
      resume,
      evaluateEvery,
      onStart: (past, { row }, evaluations) => {
        if (folder !== undefined) requireRoom(past.length, saved, settings, folder);
        // Evaluations come before the end of their epoch.
        const told = [...evaluations.map(toEvaluation), ...past.map(toEpoch)];
        told.sort((a, b) => a.epoch - b.epoch);
        const training = { event: 'training', epochs: past.length, row } as const;
        tell({ event: 'start', ...settings, origin: origin() }, ...told, training);
      },
      onStep:
        watchers.length === 0
          ? undefined
          : (report) => {
              for (const sink of watchers) sink.take({ event: 'step', ...report });
            },
      onEvaluation: (evaluation) => tell(toEvaluation(evaluation)),
      onEpoch: (metrics) => tell(toEpoch(metrics)),
    });
    if (stopped === 'aborted') {
      const epoch = history.length + 1;
      throw new FlatminError(
        'FLATMIN_ABORTED',
        `Training was stopped in epoch ${epoch} of ${epochs}`,
      );
    }
    if (folder !== undefined) model.save(folder.model, { metadata: metadataOf(task, problem) });
    const sample = await problem.writer?.(model, PROMPT, { ...SAMPLE, seed });
    const result = {
      ...summarise(settings, task.target, history),
      ...(stopped && { stopped }),
      ...(sample !== undefined && { sample }),
    };
    tell({ event: 'result', ...result });
    return result;
  } finally {
    tell({ event: 'end' });
  }
}

/** Throws where a resumed run has gone further than asked, or than its checkpoint. */
function requireRoom(
  done: number,
  saved: readonly KeptEvent[],
  { epochs }: RunSettings,
  { metrics, checkpoint }: RunFolder,
): void {
  const refuse = (what: string) => new FlatminError('FLATMIN_CHECKPOINT', what);
  const told = saved.filter(({ event }) => event === 'epoch').length;
  if (told > done) {
    throw refuse(
      `${metrics} tells of ${told} epochs, and ${checkpoint} has ${done}; help: put the checkpoint back, or choose another --out`,
    );
  }
  if (done > epochs) {
    throw refuse(
      `${checkpoint} has ${done} epochs, more than --epochs ${epochs}; help: ask for at least ${done}, or choose another --out`,
    );
  }
}
