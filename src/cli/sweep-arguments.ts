import { InvalidArgumentError } from 'commander';
import type { Dimension, Range, Space } from '../sweep/space.ts';
import { one, toNumber, wholeFrom } from './arguments.ts';

const SYNTAX = 'Expected name=1e-4,1e-3 or name=0..0.1:5 or name=log:1e-5..1e-2:10';

/**
 * `name=` with values that have commas between, or with a range: `from..to:count` is a grid, `from..to` is for draws; `log:`
 * before a range takes even distances of logarithms.
 */
export function dimension(text: string, before: Space = {}): Space {
  const [, name, value] = /^([A-Za-z]\w*(?:\.\w+)*)=(.+)$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError(`${SYNTAX}.`);
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...before, [name]: range(value) ?? list(value) };
}

function range(text: string): Range | undefined {
  const [, log, from, to, count] = /^(log:)?(.+?)\.\.(.+?)(?::(.+))?$/s.exec(text) ?? [];
  if (from === undefined) return undefined;
  const ends = [from, to].map(toNumber);
  const least = log === undefined ? Number.NEGATIVE_INFINITY : Number.MIN_VALUE;
  if (!ends.every((x) => Number.isFinite(x) && x >= least) || ends[0] > ends[1]) {
    throw new InvalidArgumentError(
      `${SYNTAX}: two numbers${log === undefined ? '' : ' above 0'}, the lesser first.`,
    );
  }
  return {
    from: ends[0],
    to: ends[1],
    ...(log !== undefined && { scale: 'log' }),
    ...(count !== undefined && { count: wholeFrom(1)(count) }),
  };
}

function list(text: string): Dimension {
  const values = text.split(',');
  if (values.every((value) => value.trim() !== '')) return values.map(one);
  throw new InvalidArgumentError(`${SYNTAX}.`);
}

/** `i/n`. */
export function shard(text: string): [number, number] {
  const [, part, of] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (part >= 1 && part <= of) return [part, of];
  throw new InvalidArgumentError('Expected i/n, with 1 ≤ i ≤ n.');
}
