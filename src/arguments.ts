/** Checks that all public functions share: whoever calls them with something else gets a `FLATMIN_ARGUMENT` that says so. */
import { inspect, types } from 'node:util';
import { FlatminError } from './errors.ts';
import { nearest } from './nearest.ts';

export const show = (value: unknown): string =>
  inspect(value, {
    depth: 1,
    breakLength: Number.POSITIVE_INFINITY,
    maxArrayLength: 6,
    maxStringLength: 60,
  });

/** What `what` must be, and what came instead. */
export const wrongArgument = (what: string, expected: string, got: unknown, help = '') =>
  new FlatminError(
    'FLATMIN_ARGUMENT',
    `${what} must be ${expected}, got ${show(got)}${help === '' ? '' : `. Help: ${help}`}`,
  );

/** Throws unless `value` is a whole number of at least `least`. */
export function checkWhole(name: string, value: unknown, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
  throw wrongArgument(name, `a whole number of at least ${least}`, value);
}

/** Throws unless `value` is one of a few names. */
export function checkOneOf<T extends string>(name: string, value: unknown, names: readonly T[]): T {
  if (names.includes(value as T)) return value as T;
  throw wrongArgument(name, `one of ${names.join(', ')}`, value);
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw wrongArgument(name, 'true or false', value);
}

/** Throws unless `value` is text. */
export function checkText(what: string, value: unknown): void {
  if (typeof value !== 'string') throw wrongArgument(what, 'a string', value);
}

/** Throws unless `value` is an object of named things: no list, no typed array. */
export function checkObject(what: string, value: unknown): asserts value is object {
  const holds = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!holds || ArrayBuffer.isView(value)) throw wrongArgument(what, 'an object', value);
}

/** Throws unless `given` is an object of options whose names are all among `known`, of which there is every one. */
export function checkNames<O extends object>(
  what: string,
  given: O,
  known: Readonly<Record<keyof O, true>>,
): void {
  checkObject(`The options of ${what}`, given);
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `${what}: ${unknownOption(unknown, Object.keys(known))}`,
  );
}

/** What is said of an option that there is not. */
export function unknownOption(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  const others = known.length === 0 ? '' : `; there are ${known.join(', ')}`;
  return `Unknown option "${name}"${meant === undefined ? others : `; did you mean "${meant}"?`}`;
}

/** Of values of whichever realm: those of `vm` contexts and test runners are no instances of our classes. */
export const { isFloat32Array, isInt32Array, isUint8Array, isRegExp, isSharedArrayBuffer } = types;
