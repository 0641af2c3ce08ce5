import { wrongArgument } from '../arguments.ts';

/** What is varied, by name. A type of such an object is an alias, since interfaces have no index. */
export type Setting = Readonly<Record<string, string | number | boolean>>;

/** What a part yields, by name: numbers, series and matrices, of which six digits are kept. */
export type Entries = Readonly<Record<string, Entry>>;
export type Entry = number | readonly Entry[];

/** A part that has ended. */
export interface Part<S extends Setting = Setting, E extends Entries = Entries> {
  readonly setting: S;
  readonly seed: number;
  readonly entries: E;
  /** What it took. */
  readonly seconds: number;
}

/** What tells parts of an experiment apart. */
export const partKey = ({ setting, seed }: Pick<Part, 'setting' | 'seed'>): string =>
  `${JSON.stringify(setting)}, seed ${seed}`;

export function checkEntries(name: string, entries: unknown): Entries {
  const plain = typeof entries === 'object' && entries !== null && !Array.isArray(entries);
  const isEntry = (entry: unknown): boolean =>
    typeof entry === 'number' || (Array.isArray(entry) && entry.every(isEntry));
  if (plain && Object.values(entries).every(isEntry)) return entries as Entries;
  throw wrongArgument(name, 'an object of numbers and arrays of them', entries);
}
