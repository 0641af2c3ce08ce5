import type { Point } from './space.ts';

/** One training of a sweep. */
export interface Trial {
  /** Number of its point in the space's order, from 0. */
  readonly point: number;
  readonly values: Point;
  readonly seed: number;
}

/** What a trial measured, by name: numbers alone. */
export type Measures = Readonly<Record<string, number>>;

/**
 * What came of a trial: `done` with what it measured; `diverged` where its numbers were no longer finite or its loss had
 * grown beyond hope; `failed` by an error, or by the death of its process twice.
 */
export interface Outcome<M = Measures> {
  readonly status: 'done' | 'diverged' | 'failed';
  readonly measures: M;
  readonly seconds: number;
  /** Why it failed or diverged. */
  readonly reason?: string;
}

/** A trial that has ended, as a sweep's folder keeps it. */
export interface Finished<M = Measures> extends Trial, Outcome<M> {}

/** Runs a trial to its end. Throws `TrialLost` where it ended with the process that ran it. */
export interface Runner {
  /** Trials that it runs at a time. */
  readonly jobs: number;
  /** What it measured is not checked yet. */
  run(trial: Trial): Promise<Outcome<unknown>>;
  /** Ends whatever is still under way. */
  close(): void;
}

/** Of the process that ran it nothing is left. */
export class TrialLost extends Error {}

/** What tells trials of a sweep apart. */
export const keyOf = ({ point, seed }: Pick<Trial, 'point' | 'seed'>): string => `${point}/${seed}`;
