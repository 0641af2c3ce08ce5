import { wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Measures, Outcome, Trial } from './trial.ts';

/** Runs a trial by a function of it, and makes what it throws an outcome. */
export async function outcomeOf(
  work: (trial: Trial) => Measures | Promise<Measures>,
  trial: Trial,
): Promise<Outcome> {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  try {
    const measures = await work(trial);
    return { status: 'done', measures: checkMeasures(measures), seconds: seconds() };
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

function checkMeasures(measures: Measures): Measures {
  const fits = typeof measures === 'object' && measures !== null && !Array.isArray(measures);
  if (fits && Object.values(measures).every((x) => typeof x === 'number')) return measures;
  throw wrongArgument('What a trial measured', 'an object of numbers', measures);
}
