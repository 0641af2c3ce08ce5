import { z } from 'zod';
import { METHOD_NAMES } from '../tasks/methods.ts';
import { evaluationSchema, metricsSchema } from '../train/checkpoint.ts';
import type { StepReport } from '../train/training.ts';
import { resultSchema } from './result.ts';
import { startSchema } from './settings.ts';

/** A line of the metrics, and of `--json`, in the order of its fields. */
export const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('start'), ...startSchema.shape }),
  z.object({
    event: z.literal('epoch'),
    optimizer: z.enum(METHOD_NAMES),
    synthetic: z.boolean(),
    ...metricsSchema.shape,
  }),
  z.object({
    event: z.literal('evaluation'),
    optimizer: z.enum(METHOD_NAMES),
    synthetic: z.boolean(),
    ...evaluationSchema.shape,
  }),
  z.object({ event: z.literal('result'), ...resultSchema.shape }),
]);

export type KeptEvent = Readonly<z.output<typeof eventSchema>>;

/** What passes while a run is under way, and is not kept. */
type PassingEvent =
  /** All before it was told again; from here on it trains: `epochs` are finished, and `row` rows of the next. */
  | { readonly event: 'training'; readonly epochs: number; readonly row: number }
  | ({ readonly event: 'step' } & StepReport)
  /** At the end, or on a failure before or after the start. */
  | { readonly event: 'end' };

/** The one stream of a run, which files, progress and standard output read. */
export type RunEvent = KeptEvent | PassingEvent;

export interface Sink {
  /** Whether it reads `step`, which is told to those alone. */
  readonly steps?: true;
  take(event: RunEvent): void;
}

export const isKept = (event: RunEvent): event is KeptEvent =>
  event.event !== 'training' && event.event !== 'step' && event.event !== 'end';
