import { FlatminError } from '../errors.ts';
import { differences } from '../train/differences.ts';
import { type Choice, checkChoice, rank } from './rank.ts';
import type { Swept } from './sweep.ts';
import { SweepFolder } from './sweep-folder.ts';
import { type Finished, keyOf } from './trial.ts';

/**
 * Puts the trials of a sweep's shards, a folder each, into a new folder `out`, and ranks them.
 * `FLATMIN_CHECKPOINT` names folders that are not of one sweep, or that have the same trial.
 */
export function mergeSweeps(folders: readonly string[], out: string, choice: Choice): Swept {
  checkChoice(choice);
  const refuse = (what: string) => new FlatminError('FLATMIN_CHECKPOINT', what);
  const parts = folders.map((path) => new SweepFolder(path));
  const [first] = parts;
  if (first === undefined) {
    throw new FlatminError('FLATMIN_ARGUMENT', 'No folders to merge were named');
  }
  const whole = wholeOf(first);
  const trials = new Map<string, Finished>();
  for (const part of parts) {
    const differing = differences(whole, wholeOf(part));
    if (differing !== '') {
      throw refuse(`${part.path} is of another sweep than ${first.path}: ${differing}`);
    }
    for (const trial of part.trials.read()) {
      const key = keyOf(trial);
      if (trials.has(key)) {
        throw refuse(
          `${part.path} has point ${trial.point}, seed ${trial.seed}, as another folder has`,
        );
      }
      trials.set(key, trial);
    }
  }
  const target = new SweepFolder(out);
  const release = target.lock();
  try {
    target.define(whole, false);
    const all = [...trials.values()].sort((a, b) => a.point - b.point || a.seed - b.seed);
    for (const trial of all) target.trials.append(trial);
    target.writeTable(all);
    return { trials: all, ranking: rank(all, choice) };
  } finally {
    release();
  }
}

/** A shard's definition without its part. */
function wholeOf(folder: SweepFolder): object {
  const definition = folder.readDefinition();
  if (definition === undefined) {
    throw new FlatminError('FLATMIN_DATA', `${folder.path} holds no sweep (${folder.definition})`);
  }
  const { shard: _, ...whole } = Object(definition);
  return whole;
}
