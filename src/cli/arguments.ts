import { InvalidArgumentError } from 'commander';
import { DEVICES, type DeviceName, isDeviceName } from '../backend/device.ts';
import { nearest } from '../nearest.ts';

/** Parsers of arguments for commander, which puts the option's name before their messages. */

export function nonNegative(text: string): number {
  const value = toNumber(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('Expected a finite number of at least 0.');
}

export const wholeFrom =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = toNumber(text);
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `${least} … ${most}`;
    throw new InvalidArgumentError(`Expected a whole number ${range}.`);
  };

/** One of a few names; a slip is answered with the nearest. */
export const oneOf =
  <T extends string>(names: readonly T[]) =>
  (text: string): T => {
    const found = names.find((name) => name === text);
    if (found !== undefined) return found;
    const meant = nearest(text, names);
    const guess = meant === undefined ? '' : `Did you mean ${meant}? `;
    throw new InvalidArgumentError(`${guess}Expected one of: ${names.join(', ')}.`);
  };

export function device(text: string): DeviceName {
  return isDeviceName(text) ? text : oneOf(DEVICES)(text);
}

/** `Number` takes blanks for 0. */
const toNumber = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text));
