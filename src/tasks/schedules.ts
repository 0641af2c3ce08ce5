import { cosine } from '../optim/schedule.ts';
import type { Rate } from '../step/rate.ts';

/** What a learning rate does over the epochs of a run. */
export const SCHEDULES = ['constant', 'cosine'] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

/** The rate of a run; `model`, which is K-FAC's own, stays as it is. */
export const scheduled = <R extends number | 'model'>(
  name: ScheduleName,
  lr: R,
  epochs: number,
): R | Rate => (name === 'cosine' && typeof lr === 'number' ? cosine(lr, { epochs }) : lr);
