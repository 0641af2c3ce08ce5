import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Comparison, Sample, Subject, Suite } from './suite.ts';

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface SubjectResult {
  readonly subject: string;
  /** Seconds of one repetition in every round. */
  readonly rounds: readonly number[];
  readonly seconds: Spread;
  /** Ratios to the baseline's seconds of the same round; none for the baseline. */
  readonly ratio?: Spread;
  /** 10⁹ units a second, at the median. */
  readonly rate?: { readonly giga: number; readonly unit: string };
  readonly measured?: string;
  /** Of the round that took most. */
  readonly memory?: Sample['memory'];
}

export interface ComparisonResult {
  readonly name: string;
  readonly ratio: Comparison['ratio'];
  readonly subjects: readonly SubjectResult[];
}

/** Performs every comparison, its subjects in turn, in every other round backwards: drift hits all alike. */
export async function runSuite(
  suite: Suite,
  options: {
    rounds?: number;
    onComparison?: (result: ComparisonResult) => void;
    /** Of a comparison that is left out for what one of its subjects lacks. */
    onLack?: (comparison: Comparison, lack: string) => void;
  } = {},
): Promise<ComparisonResult[]> {
  const results: ComparisonResult[] = [];
  for (const comparison of suite.comparisons) {
    const lack = comparison.subjects.map((subject) => subject.lack?.() ?? null).find(isString);
    if (lack !== undefined) {
      options.onLack?.(comparison, lack);
      continue;
    }
    const rounds = options.rounds ?? comparison.rounds ?? suite.rounds;
    const samples = new Map<Subject, Sample[]>(comparison.subjects.map((s) => [s, []]));
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? comparison.subjects : comparison.subjects.toReversed();
      for (const subject of order) samples.get(subject)?.push(await perform(subject));
    }
    const result = summarise(comparison, samples);
    results.push(result);
    options.onComparison?.(result);
  }
  return results;
}

const isString = (value: string | null): value is string => value !== null;

async function perform({ name, command: [program, ...args] }: Subject): Promise<Sample> {
  const { stdout } = await promisify(execFile)(program, args);
  const sample: Sample = JSON.parse(stdout);
  if (sample.seconds > 0 && Number.isFinite(sample.seconds)) return sample;
  throw new Error(`Subject "${name}" must print {"seconds": a positive number}, printed ${stdout}`);
}

function summarise(
  { name, subjects, ratio, amount }: Comparison,
  samples: ReadonlyMap<Subject, readonly Sample[]>,
): ComparisonResult {
  const secondsOf = (subject: Subject) => (samples.get(subject) ?? []).map((s) => s.seconds);
  const baseline = secondsOf(subjects[0]);
  return {
    name,
    ratio,
    subjects: subjects.map((subject, i) => {
      const rounds = secondsOf(subject);
      const seconds = spread(rounds);
      const ratios = rounds.map((s, r) =>
        ratio === 'speedup' ? baseline[r] / s : s / baseline[r],
      );
      return {
        subject: subject.name,
        rounds,
        seconds,
        ratio: i === 0 ? undefined : spread(ratios),
        rate: amount && { giga: amount.giga / seconds.median, unit: `G${amount.unit}/s` },
        measured: samples.get(subject)?.[0].measured,
        memory: most(samples.get(subject) ?? []),
      };
    }),
  };
}

const most = (samples: readonly Sample[]): Sample['memory'] =>
  samples.flatMap(({ memory }) => memory ?? []).toSorted((a, b) => b.peak - a.peak)[0];

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}
