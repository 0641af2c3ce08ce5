import { z } from 'zod';

/** JSON has no word for NaN and the infinities: they stand as the strings "NaN", "Infinity" and "-Infinity". */

export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_, v) => (typeof v === 'number' && !Number.isFinite(v) ? String(v) : v));

/** Any number, read back from what `toJson` made of it. */
export const anyNumber = z.union(
  [z.number(), z.literal(['NaN', 'Infinity', '-Infinity']).transform(Number)],
  { error: 'expected a number, "NaN", "Infinity" or "-Infinity"' },
);

/** What is wrong first, and in which field. */
export const firstFault = ({ issues: [{ path, message }] }: z.ZodError): string =>
  `${path.join('.') || 'the whole'}: ${message}`;
