/** Parts of an experiment as the trials of a process. */
import { FlatminError } from '../errors.ts';
import type { Trial } from '../sweep/trial.ts';
import type { Experiment, PartContext } from './experiment.ts';
import { checkEntries, type Entries } from './part.ts';
import { STUDIES } from './studies/index.ts';

/** Which experiment it is. */
export interface ExperimentParts {
  readonly study: string;
  readonly experiment: string;
}

export type PartEnvironment = Omit<PartContext, 'seed'>;

/** From a trial, whose values are a setting, to what its part yields. */
export const partsOf =
  ({ name, run }: Pick<Experiment, 'name' | 'run'>, environment: PartEnvironment) =>
  async ({ values, seed }: Trial): Promise<Entries> =>
    checkEntries(
      `What a part of ${name} yields`,
      await run(values as never, { ...environment, seed }),
    );

export default function experimentParts(
  { study, experiment }: ExperimentParts,
  environment: PartEnvironment,
) {
  const found = STUDIES.find(({ name }) => name === study)?.experiments?.find(
    ({ name }) => name === experiment,
  );
  if (found !== undefined) return partsOf(found, environment);
  throw new FlatminError('FLATMIN_ARGUMENT', `There is no experiment ${experiment} in ${study}`);
}
