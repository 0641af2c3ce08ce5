import { inspect } from 'node:util';

/** Has `console.log` and `inspect` show a value by `text`; copies by spreading are shown as ever. */
export const shown = <T extends object>(value: T, text: () => string): T =>
  Object.defineProperty(value, inspect.custom, { value: text, configurable: true });

/** Options in a line. */
export const inLine = (value: object): string =>
  inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY });

/** `1 step`, `2 steps`. */
export const counted = (count: number, what: string): string =>
  `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;

/** 61706 as 61,706. */
export const grouped = (count: number): string => count.toLocaleString('en-US');
