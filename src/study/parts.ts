import { groupBy } from '../group.ts';
import { mean } from '../statistics.ts';
import type { Entries, Part, Setting } from './part.ts';
import type { Sample } from './verdict.ts';

/** Parts of an experiment that have ended, in the order of its settings and seeds. */
export class Parts<S extends Setting = Setting, E extends Entries = Entries> {
  readonly name: string;
  readonly all: readonly Part<S, E>[];

  constructor(name: string, all: readonly Part<S, E>[]) {
    this.name = name;
    this.all = all;
  }

  /** Those with these values in their settings. */
  where(values: Partial<S>): Parts<S, E> {
    const wanted = Object.entries(values);
    return new Parts(
      this.name,
      this.all.filter(({ setting }) => wanted.every(([name, value]) => setting[name] === value)),
    );
  }

  /** A number of each part: by seed, where the parts are those of one setting. */
  sample(name: string, of: (entries: E, setting: S) => number): Sample {
    return { name, values: this.all.map(({ entries, setting }) => of(entries, setting)) };
  }

  /** The mean of the same; NaN without parts. */
  mean(of: (entries: E, setting: S) => number): number {
    return mean(this.sample('', of).values);
  }

  /** One group of parts a setting. */
  bySetting(): { setting: S; parts: Parts<S, E> }[] {
    return [...groupBy(this.all, ({ setting }) => JSON.stringify(setting)).values()].map((own) => ({
      setting: own[0].setting,
      parts: new Parts(this.name, own),
    }));
  }
}
