import { FlatminError } from '../errors.ts';
import { type Choice, checkChoice, rank } from './rank.ts';
import { differences, type Swept } from './sweep.ts';
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
    if (differing.length > 0) {
      throw refuse(`${part.path} is of another sweep than ${first.path}: ${differing.join('; ')}`);
    }
    for (const trial of part.finished()) {
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
    if (target.readDefinition() !== undefined) {
      throw new FlatminError(
        'FLATMIN_IO',
        `${out} already holds a sweep; help: choose another folder`,
      );
    }
    const all = [...trials.values()].sort((a, b) => a.point - b.point || a.seed - b.seed);
    target.writeDefinition(whole);
    for (const trial of all) target.append(trial);
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
