import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, FlatminError } from '../errors.ts';
import type { Outcome, Runner, Trial } from './trial.ts';
import { TrialLost } from './trial.ts';

/** Work that runs in processes of its own. */
export interface ModuleWork {
  /**
   * A module whose default export takes `context` and `environment` and returns a function from a trial to what it
   * measured, or its promise.
   */
  readonly module: URL | string;
  /** What it is to know, as JSON can hold it; a sweep that is resumed must have the same. Default undefined. */
  readonly context?: unknown;
  /** What it is to know that may differ from machine to machine, as folders and devices. Default undefined. */
  readonly environment?: unknown;
}

/** To a process: the work first, then its trials. */
export type Order = (ModuleWork & { readonly module: string }) | Trial;

/** From a process: an outcome, or why the work could not be begun. */
export type Answer =
  | { readonly outcome: Outcome<unknown> }
  | { readonly unable: string; readonly code: ErrorCode | undefined };

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

/** Runs trials in `jobs` processes, which are started when there is something for them to do. */
export function processRunner(work: ModuleWork, jobs: number): Runner {
  const idle: ChildProcess[] = [];
  const all = new Set<ChildProcess>();
  let closed = false;
  const start = () => {
    const worker = fork(WORKER, { serialization: 'advanced' });
    all.add(worker);
    worker.once('exit', () => {
      all.delete(worker);
      const at = idle.indexOf(worker);
      if (at >= 0) idle.splice(at, 1);
    });
    worker.send({ ...work, module: String(work.module) } satisfies Order);
    return worker;
  };
  return {
    jobs,
    run: async (trial) => {
      if (closed) throw new TrialLost('the sweep has ended');
      const worker = idle.pop() ?? start();
      const outcome = await answerOf(worker, trial);
      idle.push(worker);
      return outcome;
    },
    close: () => {
      closed = true;
      for (const worker of all) worker.kill('SIGKILL');
    },
  };
}

function answerOf(worker: ChildProcess, trial: Trial): Promise<Outcome<unknown>> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      worker.off('message', onMessage);
      worker.off('exit', onExit);
      worker.off('error', onError);
      act();
    };
    const onMessage = (answer: Answer) =>
      settle(() => {
        if ('outcome' in answer) resolve(answer.outcome);
        else if (answer.code === undefined) reject(new Error(answer.unable));
        else reject(new FlatminError(answer.code, answer.unable));
      });
    const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      settle(() => reject(new TrialLost(`its process ended ${how}, twice`)));
    };
    const onError = (error: Error) => settle(() => reject(new TrialLost(error.message)));
    worker.on('message', onMessage);
    worker.once('exit', onExit);
    worker.once('error', onError);
    worker.send(trial satisfies Order);
  });
}
