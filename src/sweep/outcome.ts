import { FlatminError } from '../errors.ts';
import type { Outcome, Trial } from './trial.ts';

/** Runs a trial by a function of it, and makes what it throws an outcome. */
export async function outcomeOf(
  work: (trial: Trial) => unknown,
  trial: Trial,
): Promise<Outcome<unknown>> {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  try {
    const measures = await work(trial);
    return { status: 'done', measures, seconds: seconds() };
  } catch (error) {
    const diverged = error instanceof FlatminError && error.code === 'FLATMIN_NUMERICS';
    const reason = error instanceof Error ? error.message : String(error);
    return {
      status: diverged ? 'diverged' : 'failed',
      measures: {},
      seconds: seconds(),
      reason,
    };
  }
}
