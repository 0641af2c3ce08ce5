import { InvalidArgumentError } from 'commander';
import { DEVICES, type DeviceName, isDeviceName } from '../backend/device.ts';
import { nearest } from '../nearest.ts';
import type { Period } from '../optim/schedule.ts';
import type { Options } from '../optim/variants.ts';
import { COMPARED, METHOD_NAMES, type MethodName } from '../tasks/methods.ts';

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

/** Methods with commas between; `all` stands for those that are compared. */
export function methods(text: string): readonly MethodName[] {
  const names = text.split(',').map((name) => oneOf(['all', ...METHOD_NAMES])(name.trim()));
  const [first, ...others] = names;
  if (first === 'all' && others.length === 0) return COMPARED;
  const twice = names.find((name, i) => name === 'all' || names.indexOf(name) !== i);
  if (twice === undefined) return names as MethodName[];
  throw new InvalidArgumentError(
    twice === 'all' ? 'all stands alone.' : `${twice} is named twice.`,
  );
}

/**
 * `name=value` beside those given before it: numbers, true, false, lists with commas between, else text. Dots reach into an
 * object: K.kind=lp, K.p=3.
 */
export function setting(text: string, before: Options = {}): Options {
  const [, name, value] = /^([A-Za-z]\w*(?:\.[A-Za-z]\w*)*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('Expected name=value.');
  return withSetting(before, name.split('.'), value);
}

function withSetting(before: Options, [name, ...inner]: string[], value: string): Options {
  const held = Object.hasOwn(before, name) ? before[name] : undefined;
  const nested = typeof held === 'object' && !Array.isArray(held);
  if (inner.length > 0 && (held === undefined || nested)) {
    return { ...before, [name]: withSetting((held ?? {}) as Options, inner, value) };
  }
  if (held !== undefined) throw new InvalidArgumentError(`${name} is set twice.`);
  return { ...before, [name]: value.includes(',') ? value.split(',').map(one) : one(value) };
}

/** A number, true or false, or text. */
export function one(text: string): number | boolean | string {
  const value = toNumber(text);
  if (!Number.isNaN(value)) return value;
  return text === 'true' || text === 'false' ? text === 'true' : text;
}

/** `2` or `2epochs`, `500steps`. */
export function cadence(text: string): Period {
  const [, count, unit] = /^(.*?)\s*(steps?|epochs?)?$/s.exec(text) ?? [];
  const whole = wholeFrom(1)(count);
  return unit?.startsWith('step') ? { steps: whole } : { epochs: whole };
}

export function folder(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('Expected the path of a folder.');
}

export function device(text: string): DeviceName {
  return isDeviceName(text) ? text : oneOf(DEVICES)(text);
}

/** `Number` takes blanks for 0. */
export const toNumber = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text));
