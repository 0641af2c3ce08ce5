import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import type { Position, Training } from './training.ts';

/** Results so far, one entry a finished epoch. */
export interface EpochMetrics {
  /** From 1. */
  readonly epoch: number;
  readonly trainLoss: number;
  readonly testLoss?: number;
  readonly testAccuracy?: number;
  /** Training alone, without evaluation. */
  readonly epochSeconds: number;
}

const savedSchema = z.object({
  position: z.object({
    step: z.number(),
    epoch: z.number(),
    row: z.number(),
    lossSum: z.number(),
    seconds: z.number(),
  }),
  history: z.array(
    z.object({
      epoch: z.number(),
      trainLoss: z.number(),
      testLoss: z.number().optional(),
      testAccuracy: z.number().optional(),
      epochSeconds: z.number(),
    }),
  ),
});

/** Everything a training needs to go on as if it had never stopped. */
export function saveCheckpoint(
  path: string,
  training: Training,
  history: readonly EpochMetrics[],
): void {
  const tensors = Object.fromEntries(
    Object.entries(training.stateDict()).map(([key, tensor]) => [
      key,
      { dtype: training.store.type(key).dtype, ...tensor },
    ]),
  );
  writeSafetensors(path, {
    tensors,
    metadata: {
      format: 'flatmin checkpoint 1',
      training: JSON.stringify({ position: training.position, history }),
      configuration: JSON.stringify(training.configuration),
    },
  });
}

/** Puts a checkpoint back; `FLATMIN_CHECKPOINT` lists what does not fit. */
export function loadCheckpoint(path: string, training: Training): EpochMetrics[] {
  const { tensors, metadata } = readSafetensors(path);
  const refuse = (why: string) => new FlatminError('FLATMIN_CHECKPOINT', `${path}: ${why}`);
  if (metadata.format !== 'flatmin checkpoint 1') {
    throw refuse('this is not a flatmin checkpoint of version 1');
  }
  const configuration = JSON.stringify(training.configuration);
  if (metadata.configuration !== configuration) {
    throw refuse(
      `it was written by another configuration. It has ${metadata.configuration}, this run is ${configuration}. Help: resume with the same options, or choose another folder.`,
    );
  }
  const saved = savedSchema.parse(JSON.parse(metadata.training));
  try {
    training.loadStateDict(tensors);
  } catch (error) {
    throw refuse((error as Error).message);
  }
  training.position = saved.position satisfies Position;
  return saved.history;
}
