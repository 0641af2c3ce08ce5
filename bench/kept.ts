import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Machine, Sources } from './machine.ts';
import type { ComparisonResult } from './runner.ts';
import { comparisonTable } from './table.ts';

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
 * and beside others of the same machine. Figures of another machine are dropped. A page beside the file can be read.
 */
export function keep(file: string, { comparisons: [added], ...suite }: Kept): void {
  const old: Kept | null = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
  const others = isDeepStrictEqual(old?.machine, suite.machine) ? (old?.comparisons ?? []) : [];
  const at = others.findIndex((other) => keyOf(other) === keyOf(added));
  const comparisons = at < 0 ? [...others, added] : others.with(at, added);
  const kept = { ...suite, comparisons };
  mkdirSync(dirname(file), { recursive: true });
  write(file, `${JSON.stringify(kept, null, 2)}\n`);
  write(file.replace(/json$/, 'md'), page(kept));
}

function write(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

function page({ suite, title, machine, comparisons }: Kept): string {
  const { cpu, cores, isa, memoryGiB, platform, node } = machine;
  const commits = [...new Set(comparisons.map(({ sources }) => describeCommit(sources)))];
  const rounds = [...new Set(comparisons.map(({ subjects }) => subjects[0].rounds.length))];
  return `# ${title}

${cpu}, ${cores} cores, ${isa}, ${memoryGiB} GiB, ${platform}, node ${node}; flatmin at ${commits.join(', ')}. Times are
medians of ${rounds.join(' or ')} rounds, ratios are taken within a round; the spread is their least and largest.
Every round is in \`${suite}.json\`, made by \`npm run bench -- ${suite}\`.

\`\`\`
${comparisonTable(comparisons)}
\`\`\`
`;
}

export const describeCommit = ({ commit, dirty }: Sources): string =>
  `${commit?.slice(0, 10) ?? 'no commit'}${dirty ? ' with changes' : ''}`;
