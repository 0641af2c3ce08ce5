import type { Dataset } from '../data/dataset.ts';
import { fit } from '../doors/fit.ts';
import { FlatminError } from '../errors.ts';
import { cosine } from '../optim/schedule.ts';
import { makeOptimizer } from '../tasks/methods.ts';
import type { Task } from '../tasks/task.ts';
import type { EpochMetrics } from '../train/checkpoint.ts';
import type { TrainingData } from '../train/training.ts';
import type { Progress } from './progress.ts';
import { type Result, summarise } from './result.ts';
import type { RunEvent } from './run-events.ts';
import type { RunFolder } from './run-folder.ts';
import { type RunSettings, requireSameSettings, type TrainOptions } from './settings.ts';

export interface RunOptions extends Pick<TrainOptions, 'device' | 'threads' | 'resume'> {
  readonly folder: RunFolder | undefined;
  /** Gets every event, those of a resumed run's past included. */
  readonly emit: (event: RunEvent) => void;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Trains one method to the end, or as far as `signal` lets it; a finished run is only told again. */
export async function runMethod(
  task: Task,
  data: Required<TrainingData<Dataset>>,
  settings: RunSettings,
  { folder, emit, progress, signal, device, threads, resume = false }: RunOptions,
): Promise<Result> {
  const { optimizer, lr, batch, epochs, seed, synthetic } = settings;
  const saved = folder !== undefined && resume ? folder.events() : [];
  const [start] = saved;
  if (start?.event === 'start') {
    requireSameSettings(settings, start, (folder as RunFolder).metrics);
  }
  const last = saved.at(-1);
  if (last?.event === 'result' && start.event === 'start' && start.epochs === epochs) {
    saved.forEach(emit);
    return last;
  }
  const toEvent = (metrics: EpochMetrics): RunEvent => ({
    event: 'epoch',
    optimizer,
    synthetic,
    ...metrics,
  });
  const record = (event: RunEvent) => {
    folder?.append(event);
    emit(event);
  };
  const rate = settings.schedule === 'cosine' ? cosine(lr as number, { epochs }) : lr;
  try {
    const { model, history } = await fit(task.model(), data, {
      optimizer: makeOptimizer(optimizer, { ...settings.settings, lr: rate }),
      loss: task.loss,
      metrics: task.metrics,
      batch,
      epochs,
      seed,
      device,
      threads,
      signal,
      checkpoint: folder?.checkpoint,
      resume,
      onStart: (past, { row }) => {
        if (folder !== undefined) requireRoom(past.length, saved, settings, folder);
        const events: RunEvent[] = [{ event: 'start', ...settings }, ...past.map(toEvent)];
        folder?.begin(events);
        events.forEach(emit);
        progress.start(past, row);
      },
      onStep: progress.step,
      onEpoch: (metrics) => {
        record(toEvent(metrics));
        progress.epoch(metrics);
      },
    });
    const result = summarise(settings, task.target, history);
    if (folder !== undefined) model.save(folder.model);
    record({ event: 'result', ...result });
    return result;
  } finally {
    progress.stop();
  }
}

/** Throws where a resumed run has gone further than asked, or than its checkpoint. */
function requireRoom(
  done: number,
  saved: readonly RunEvent[],
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
