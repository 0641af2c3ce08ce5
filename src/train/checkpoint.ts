import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import { sameShape } from '../graph/types.ts';
import { type NamedTensor, readSafetensors, writeSafetensors } from './safetensors.ts';
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
  const tensors: Record<string, NamedTensor> = {};
  for (const key of training.trainedKeys()) {
    const { dtype, shape } = training.store.type(key);
    tensors[key] = { dtype, shape, data: training.store.read(key) };
  }
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
  const expected = training.trainedKeys();
  const complaints = [
    ...expected.filter((key) => !(key in tensors)).map((key) => `"${key}" is missing`),
    ...Object.keys(tensors)
      .filter((key) => !expected.includes(key))
      .map((key) => `"${key}" is not part of this training`),
    ...expected
      .filter(
        (key) => key in tensors && !sameShape(tensors[key].shape, training.store.type(key).shape),
      )
      .map((key) => `"${key}" has shape [${tensors[key].shape.join(', ')}]`),
  ];
  if (complaints.length > 0) throw refuse(complaints.join('; '));
  const saved = savedSchema.parse(JSON.parse(metadata.training));
  for (const key of expected) training.store.write(key, tensors[key].data);
  training.position = saved.position satisfies Position;
  return saved.history;
}
