import { FlatminError } from '../errors.ts';

/** What a schedule is a function of: the optimizer step, from 1, and the epochs already finished. */
export interface Progress {
  readonly step: number;
  readonly epoch: number;
}

/** A learning rate that changes; `toJSON` describes it for logs and checkpoints. */
export interface Schedule {
  (at: Progress): number;
  toJSON(): object;
}

/** A constant learning rate or a schedule. */
export type Rate = number | Schedule;

const schedule = (at: (progress: Progress) => number, description: object): Schedule =>
  Object.assign(at, { toJSON: () => description });

/** The rate of a step; throws unless it is a finite number of at least 0. */
export function rateAt(rate: Rate, progress: Progress): number {
  if (typeof rate === 'number') return rate;
  const lr = rate(progress);
  if (Number.isFinite(lr) && lr >= 0) return lr;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `The schedule must give a finite number of at least 0, got ${lr} at step ${progress.step}`,
  );
}

export interface CosineOptions {
  /** Length J in epochs, or in steps: one of the two. */
  epochs?: number;
  steps?: number;
  /** Rate at the end, default 0. */
  min?: number;
}

/**
 * Cosine annealing: ηⱼ = min + ½(max − min)(1 + cos(πj/J)), j the epochs or steps already done (0 … J − 1).
 */
export function cosine(max: number, { epochs, steps, min = 0 }: CosineOptions = {}): Schedule {
  const length = epochs ?? steps;
  if (length === undefined || (epochs !== undefined && steps !== undefined) || !(length > 0)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      'cosine expects a positive number of either epochs or steps',
    );
  }
  for (const [name, value] of Object.entries({ max, min })) {
    if (!Number.isFinite(value) || value < 0) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `cosine expects ${name} to be a finite number of at least 0, got ${value}`,
      );
    }
  }
  return schedule(
    ({ step, epoch }) => {
      const done = Math.min(epochs === undefined ? step - 1 : epoch, length);
      return min + 0.5 * (max - min) * (1 + Math.cos((Math.PI * done) / length));
    },
    { name: 'cosine', max, min, epochs, steps },
  );
}
