import { wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { Moment } from '../graph/moment.ts';

/**
 * What a schedule is a function of: the optimizer step, from 1, and the epochs already finished. Reading `epoch` is
 * `FLATMIN_ARGUMENT` where nobody said which it is: at an optimizer on arrays, or a `trainStep`, whose `epoch` is unset.
 */
export interface Progress {
  readonly step: number;
  readonly epoch: number;
}

/** A learning rate that changes; `toJSON` describes it for logs and checkpoints, `scheduleFrom` reads that back. */
export interface Schedule {
  (at: Progress): number;
  toJSON(): object;
}

/** A constant learning rate or a schedule. */
export type Rate = number | Schedule;

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

/** The learning rate of a moment; undefined where several that differ are at work. */
export function lrOf(graph: Graph, moment: Moment): number | undefined {
  const slots = graph.slots.filter(({ name }) => name === 'lr');
  const [lr, ...others] = new Set(slots.map(({ at }) => at(moment)));
  return others.length === 0 ? lr : undefined;
}

/** Throws unless `rate` may be set for a step whose learning rate is now `lr`, or is undefined: the option's again. */
export function checkRate(rate: unknown, lr: number | undefined): asserts rate is Rate | undefined {
  if (rate === undefined) return;
  const fits = typeof rate === 'number' && Number.isFinite(rate) && rate >= 0;
  if (!fits && typeof rate !== 'function') {
    throw wrongArgument('lr', 'a finite number of at least 0 or a schedule', rate);
  }
  if (lr !== undefined) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    'lr cannot be set where groups step with rates that differ. Help: give each of them a schedule.',
  );
}
