import { existsSync } from 'node:fs';
import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import { differences } from './differences.ts';
import { divergenceSchema } from './divergence.ts';
import { bestSchema, type Kept } from './early-stopping.ts';
import { anyNumber, firstFault, toJson } from './json-numbers.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import type { Position, Training } from './training.ts';

const FORMAT = 'flatmin checkpoint 2';

const whole = z.int().nonnegative();
const seconds = z.number().nonnegative();

/** Of the test data by their names, accuracy among them. */
const metrics = z.record(z.string(), anyNumber);

export const metricsSchema = z.object({
  /** From 1. */
  epoch: z.int().positive(),
  /** Mean over the steps that were taken, NaN where none was. */
  trainLoss: anyNumber,
  testLoss: anyNumber.optional(),
  testAccuracy: anyNumber.optional(),
  /** Training alone, without evaluation. */
  epochSeconds: seconds,
  metrics: metrics.optional(),
});

export const evaluationSchema = z.object({
  /** Steps taken. */
  step: z.int().positive(),
  /** The one under way, from 1. */
  epoch: z.int().positive(),
  /** Of training until then, without evaluations. */
  seconds,
  testLoss: anyNumber,
  testAccuracy: anyNumber.optional(),
  metrics,
});

/** An evaluation after so many steps. */
export type StepEvaluation = Readonly<z.output<typeof evaluationSchema>>;

/** What a training has told so far. */
export interface Told {
  readonly history: EpochMetrics[];
  readonly evaluations: StepEvaluation[];
  /** Where early stopping has seen a value. */
  readonly kept?: Kept;
}

/** Results so far, one entry a finished epoch. */
export type EpochMetrics = Readonly<z.output<typeof metricsSchema>>;

const savedSchema = z.object({
  position: z.object({
    step: whole,
    epoch: whole,
    row: whole,
    lossSum: anyNumber,
    counted: z.number().nonnegative(),
    seconds,
  }) satisfies z.ZodType<Position>,
  history: z.array(metricsSchema),
  evaluations: z.array(evaluationSchema).default([]),
  losses: divergenceSchema.optional(),
  best: bestSchema.optional(),
});

/** Before the names of the best weights. */
const BEST = 'best/';

/** Everything a training needs to go on as if it had never stopped. */
export function saveCheckpoint(
  path: string,
  training: Training,
  { history, evaluations, kept }: Told,
): void {
  const tensors = Object.entries(training.stateDict()).map(([key, tensor]) => [
    key,
    { dtype: training.store.type(key).dtype, ...tensor },
  ]);
  const best = Object.entries(kept?.weights ?? {}).map(([name, tensor]) => [
    BEST + name,
    { dtype: 'f32', ...tensor },
  ]);
  const { position, divergence } = training;
  const state = { position, history, evaluations, losses: divergence.state, best: kept?.best };
  writeSafetensors(path, {
    tensors: Object.fromEntries([...tensors, ...best]),
    metadata: {
      format: FORMAT,
      training: toJson(state),
      configuration: toJson(training.configuration),
    },
  });
}

/**
 * Puts a checkpoint back, all of it or nothing, and returns what was told; nothing where there is no file. `FLATMIN_DATA`
 * names a file that is damaged, `FLATMIN_CHECKPOINT` what of it does not fit.
 */
export function loadCheckpoint(path: string, training: Training): Told {
  if (!existsSync(path)) return { history: [], evaluations: [] };
  const { tensors, metadata } = readSafetensors(path);
  const refuse = (why: string) => new FlatminError('FLATMIN_CHECKPOINT', `${path}: ${why}`);
  if (metadata.format !== FORMAT) {
    const found = JSON.stringify(metadata.format) ?? 'none';
    throw refuse(`this is not a ${FORMAT}; its format is ${found}`);
  }
  const field = <T>(name: 'training' | 'configuration', schema: z.ZodType<T>): T => {
    let json: unknown;
    try {
      json = JSON.parse(metadata[name]);
    } catch {
      throw refuse(`its metadata.${name} is not JSON`);
    }
    const { data, error } = schema.safeParse(json);
    if (error !== undefined) throw refuse(`its metadata.${name}.${firstFault(error)}`);
    return data as T;
  };
  const configuration = JSON.parse(toJson(training.configuration));
  const changes = differences(field('configuration', z.looseObject({})), configuration);
  if (changes !== '') {
    throw refuse(
      `it was written by another run: ${changes}. Help: resume with the same model, data and options, or choose another file.`,
    );
  }
  const saved = field('training', savedSchema);
  const fault = misplaced(saved, training);
  if (fault !== undefined) throw refuse(`its metadata.training.${fault}`);
  const isBest = (key: string) => key.startsWith(BEST);
  const part = (of: (key: string) => boolean) =>
    Object.fromEntries(Object.entries(tensors).filter(([key]) => of(key)));
  const { position, losses, best, ...told } = saved;
  const weights = Object.entries(part(isBest)).map(([key, x]) => [key.slice(BEST.length), x]);
  const kept = best && {
    best,
    weights: weights.length === 0 ? undefined : Object.fromEntries(weights),
  };
  try {
    if (kept?.weights !== undefined) training.checkWeights(kept.weights);
    training.loadStateDict(part((key) => !isBest(key)));
  } catch (error) {
    throw refuse((error as Error).message);
  }
  training.position = position;
  if (losses !== undefined) training.divergence.state = losses;
  return { ...told, kept };
}

/** What of a position no training on this data comes to. */
function misplaced(
  { position, history, evaluations }: z.output<typeof savedSchema>,
  { rows, batch }: Training,
): string | undefined {
  const { step, epoch, row } = position;
  if (row >= rows || row % batch !== 0) {
    return `position.row: expected a multiple of ${batch} below ${rows}, got ${row}`;
  }
  const taken = epoch * Math.ceil(rows / batch) + row / batch;
  if (step !== taken)
    return `position.step: expected ${taken} at row ${row} of epoch ${epoch}, got ${step}`;
  if (history.length !== epoch) return `history: expected ${epoch} epochs, got ${history.length}`;
  const ahead = evaluations.findIndex((evaluation) => evaluation.step > step);
  if (ahead >= 0) {
    return `evaluations.${ahead}.step: expected at most ${step}, got ${evaluations[ahead].step}`;
  }
  const odd = history.findIndex((metrics, i) => metrics.epoch !== i + 1);
  return odd < 0
    ? undefined
    : `history.${odd}.epoch: expected ${odd + 1}, got ${history[odd].epoch}`;
}
