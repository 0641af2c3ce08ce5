import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Optimizer } from '#flatmin/step/bound';
import { entities } from '#flatmin/tasks/entities';
import { Training } from '#flatmin/train/training';
import { memoryUsed } from './memory.ts';
import { spread } from './runner.ts';
import type { Sample, Target } from './suite.ts';

export const BATCH = 2;
const EPOCHS = 3;

/** Sentences of news and encyclopaedias; where there are none nothing is measured. */
export const FILE = join(process.env.FLATMIN_DATA ?? 'data', 'wikineural', 'train.conll');
export const lacksSentences = (): string | null =>
  existsSync(FILE) ? null : `${FILE} is not there (FLATMIN_DATA)`;

/** An epoch of the task's tagger after the first, in which a step of each length is compiled. */
export async function taggerEpoch(optimizer: Optimizer, target: Target): Promise<Sample> {
  const { data, model, loss } = entities.load({ dir: dirname(FILE) });
  const options = { optimizer, loss, batch: BATCH, seed: 1, ...target };
  const training = new Training(model, { train: data.train }, options);
  await training.epoch();
  const seconds: number[] = [];
  const before = process.cpuUsage();
  for (let i = 0; i < EPOCHS; i++) seconds.push((await training.epoch())?.seconds ?? Number.NaN);
  const { user, system } = process.cpuUsage(before);
  const processor = (user + system) / 1e6 / EPOCHS;
  return {
    seconds: spread(seconds).median,
    measured: `processor time ${processor.toFixed(2)} s`,
    memory: memoryUsed(training),
  };
}
