import { z } from 'zod';
import { METHOD_NAMES } from '../tasks/methods.ts';
import { metricsSchema } from '../train/checkpoint.ts';
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
  z.object({ event: z.literal('result'), ...resultSchema.shape }),
]);

export type RunEvent = Readonly<z.output<typeof eventSchema>>;
