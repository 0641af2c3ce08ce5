import { outcomeOf } from './outcome.ts';
import type { Measures, Runner, Trial } from './trial.ts';

/** From a trial to what it measured. */
export type LocalWork = (trial: Trial) => Measures | Promise<Measures>;

/** Runs trials in this process. */
export const localRunner = (work: (trial: Trial) => unknown, jobs: number): Runner => ({
  jobs,
  run: (trial) => outcomeOf(work, trial),
  close: () => {},
});
