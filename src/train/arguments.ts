import { FlatminError } from '../errors.ts';

/** Throws unless `value` is a whole number of at least `least`. */
export function checkWhole(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `${name} must be a whole number of at least ${least}, got ${value}`,
  );
}
