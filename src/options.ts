/** Options by schema: messages say what was expected and what came. */
import { z } from 'zod';
import { show, unknownOption } from './arguments.ts';
import { FlatminError } from './errors.ts';

/** A number of which `holds` is true; `expected` says so. */
export const number = (expected: string, holds: (value: number) => boolean) =>
  z.custom<number>((value) => typeof value === 'number' && holds(value), {
    error: ({ input }) => `expected ${expected}, got ${show(input)}`,
  });

export const wholeNumber = number(
  'a whole number of at least 0',
  (v) => Number.isSafeInteger(v) && v >= 0,
);

/** Parses options or throws `FLATMIN_ARGUMENT` with every complaint. */
export function checkOptions<S extends z.ZodType>(
  name: string,
  schema: S,
  given: unknown,
): z.output<S> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const complaints = result.error.issues.map((issue) => {
    const path = issue.path.join('.');
    const message =
      issue.code === 'unrecognized_keys'
        ? unknownOption(issue.keys[0], namesOf(schema, issue.path))
        : issue.message;
    return path === '' ? message : `${path}: ${message}`;
  });
  throw new FlatminError('FLATMIN_ARGUMENT', `${name}: ${complaints.join('; ')}`);
}

/** Names of an object's schema, or of the one that lies at a path within it; of a union those of all its kinds. */
export function namesOf(schema: unknown, path: readonly PropertyKey[]): string[] {
  const [first, ...rest] = path;
  if (schema instanceof z.ZodPipe) return namesOf(schema.in, path);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return namesOf(schema.unwrap(), path);
  }
  if (schema instanceof z.ZodUnion) {
    return [...new Set(schema.options.flatMap((option) => namesOf(option, path)))];
  }
  if (!(schema instanceof z.ZodObject)) return [];
  return first === undefined
    ? Object.keys(schema.shape)
    : namesOf(schema.shape[first as string], rest);
}

/** A schema whose input is written as the interface `I`: editors show the comments of its options, which zod's types lose. */
export const schemaOf =
  <I>() =>
  <O>(schema: z.ZodType<O, I>): z.ZodType<O, I> =>
    schema;
