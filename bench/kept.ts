import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Machine, Sources } from './machine.ts';
import type { ComparisonResult } from './runner.ts';

/** A comparison and what it was measured from. */
export interface KeptComparison extends ComparisonResult {
  readonly sources: Sources;
}

/** A suite's figures on one machine. */
export interface Kept {
  readonly suite: string;
  readonly title: string;
  readonly machine: Machine;
  readonly comparisons: readonly KeptComparison[];
}

/** Comparisons are the same that have the same name and baseline. */
const keyOf = ({ name, subjects }: ComparisonResult): string => `${name} / ${subjects[0].subject}`;

/**
 * Puts a comparison into a suite's file at once, so that an interrupted run keeps what it has: in place of an older one,
 * and beside others of the same machine. Figures of another machine are dropped.
 */
export function keep(file: string, { comparisons: [added], ...suite }: Kept): void {
  const old: Kept | null = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
  const others = isDeepStrictEqual(old?.machine, suite.machine) ? (old?.comparisons ?? []) : [];
  const at = others.findIndex((other) => keyOf(other) === keyOf(added));
  const comparisons = at < 0 ? [...others, added] : others.with(at, added);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify({ ...suite, comparisons }, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}
