import { FlatminError } from '../errors.ts';
import { type Outcome, type Runner, type Trial, TrialLost } from './trial.ts';

export interface RunAllOptions {
  /** What the trials are of, as "sweep". */
  readonly what: string;
  readonly signal?: AbortSignal;
}

/**
 * Gives trials to a runner, as many at a time as it has jobs, until there are none left, and closes it. An error of
 * `onEnded` ends them all. `FLATMIN_ABORTED` where the signal stopped them.
 */
export async function runAll(
  trials: readonly Trial[],
  runner: Runner,
  { what, signal }: RunAllOptions,
  onEnded: (trial: Trial, outcome: Outcome<unknown>) => void,
): Promise<void> {
  const queue = trials.values();
  let fault: { error: unknown } | undefined;
  const stopped = () => signal?.aborted || fault !== undefined;
  const lane = async () => {
    for (const trial of queue) {
      if (stopped()) return;
      try {
        const outcome = await runTwice(runner, trial);
        if (!stopped()) onEnded(trial, outcome);
      } catch (error) {
        fault ??= { error };
        runner.close();
      }
    }
  };
  const close = () => runner.close();
  signal?.addEventListener('abort', close);
  try {
    await Promise.all(Array.from({ length: runner.jobs }, lane));
  } finally {
    signal?.removeEventListener('abort', close);
    close();
  }
  if (signal?.aborted) throw new FlatminError('FLATMIN_ABORTED', `The ${what} was stopped`);
  if (fault !== undefined) throw fault.error;
}

/** Once more where a trial was lost with its process, which may have been another's fault. */
async function runTwice(runner: Runner, trial: Trial): Promise<Outcome<unknown>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await runner.run(trial);
    } catch (error) {
      if (!(error instanceof TrialLost)) throw error;
      if (attempt < 2) continue;
      return { status: 'failed', measures: {}, seconds: 0, reason: error.message };
    }
  }
}
