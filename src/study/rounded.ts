import { rounded as number } from '../report/numbers.ts';

/** All numbers within, with six digits: more than what runs differ by. */
export function rounded<T>(value: T): T {
  if (typeof value === 'number') return number(value) as T;
  if (Array.isArray(value)) return value.map(rounded) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, x]) => [key, rounded(x)])) as T;
}
