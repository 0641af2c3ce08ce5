import type { Verdict as Decision } from '../report/report.ts';
import { mean } from '../statistics.ts';
import { differenceOf, type Estimate, ratioOf } from './bootstrap.ts';

/** What runs say of a claim, with the figures that say so. */
export interface Verdict {
  readonly decision: Decision;
  readonly because: readonly string[];
}

/** Measured values by seed, and what they are called. */
export interface Sample {
  readonly name: string;
  readonly values: readonly number[];
  /** A number that is compared with, not measured. */
  readonly level?: true;
}

const decided = (yes: boolean, no: boolean): Decision =>
  yes ? 'borne out' : no ? 'not borne out' : 'not decided by these runs';

/** Runs that an interval takes. */
const LEAST = 2;

/** Runs that are missing decide nothing. */
function lacking(samples: readonly Sample[]): Verdict | undefined {
  const short = samples.find(({ values }) => values.length < LEAST);
  if (short === undefined) return undefined;
  const because = `${short.name}: ${short.values.length} of the ${LEAST} runs that this takes`;
  return { decision: 'not decided by these runs', because: [because] };
}

/** That the mean of `a` is above that of `b` by more than `margin`: by the interval of their difference. */
export function above(a: Sample, b: Sample, margin = 0): Verdict {
  const missing = lacking([a, b]);
  if (missing !== undefined) return missing;
  const difference = differenceOf(a.values, b.values);
  return {
    decision: decided(difference.low > margin, difference.high <= margin),
    because: [...[a, b].map(named), `difference ${show(difference)}`],
  };
}

export const below = (a: Sample, b: Sample, margin = 0): Verdict => above(b, a, margin);

/** That the means differ by no more than `tolerance`. */
export function alike(samples: readonly Sample[], tolerance: number): Verdict {
  const missing = lacking(samples);
  if (missing !== undefined) return missing;
  const pairs = samples.flatMap((a, i) => samples.slice(i + 1).map((b) => [a, b] as const));
  const differences = pairs.map(([a, b]) => differenceOf(a.values, b.values));
  const within = differences.every(({ low, high }) => low >= -tolerance && high <= tolerance);
  const outside = differences.some(({ low, high }) => low > tolerance || high < -tolerance);
  return {
    decision: decided(within, outside),
    because: [...samples.map(named), `tolerance ${figure(tolerance)}`],
  };
}

/** That the mean of `a` lies within `tolerance` of a published figure. */
export function near(a: Sample, published: number, tolerance: number): Verdict {
  const missing = lacking([a]);
  if (missing !== undefined) return missing;
  const { low, high } = differenceOf(a.values, [published]);
  return {
    decision: decided(low >= -tolerance && high <= tolerance, low > tolerance || high < -tolerance),
    because: [named(a), `published ${figure(published)}`, `tolerance ${figure(tolerance)}`],
  };
}

/** That `a` takes at most `most` times what `b` does, by the interval of the ratio of medians; Infinity is never. */
export function atMostTimes(a: Sample, b: Sample, most: number): Verdict {
  const missing = lacking([a, b]);
  if (missing !== undefined) return missing;
  const ratio = ratioOf(a.values, b.values);
  return {
    decision: decided(ratio.high <= most, ratio.low > most),
    because: [...[a, b].map(named), `ratio ${show(ratio)}, at most ${figure(most)} wanted`],
  };
}

/** That `a` takes less than `b`. */
export function faster(a: Sample, b: Sample): Verdict {
  const missing = lacking([a, b]);
  if (missing !== undefined) return missing;
  const ratio = ratioOf(a.values, b.values);
  return {
    decision: decided(ratio.high < 1, ratio.low >= 1),
    because: [...[a, b].map(named), `ratio ${show(ratio)}`],
  };
}

/** That `a` is first: faster than each of the others. */
export const first = (a: Sample, others: readonly Sample[]): Verdict =>
  all(others.map((b) => faster(a, b)));

/** That all of them hold: one that does not is enough against it. */
export function all(verdicts: readonly Verdict[]): Verdict {
  const holds = verdicts.every(({ decision }) => decision === 'borne out');
  const fails = verdicts.some(({ decision }) => decision === 'not borne out');
  return {
    decision: decided(holds, fails),
    because: [...new Set(verdicts.flatMap(({ because }) => because))],
  };
}

export function not({ decision, because }: Verdict): Verdict {
  return { decision: decided(decision === 'not borne out', decision === 'borne out'), because };
}

function named({ name, values, level }: Sample): string {
  if (level) return name;
  const lost = values.includes(Number.POSITIVE_INFINITY);
  return `${name} ${figure(lost ? Number.POSITIVE_INFINITY : mean(values))}${times(values)}`;
}

/** Of how many runs, and how many of them never got there. */
function times(values: readonly number[]): string {
  const never = values.filter((x) => x === Number.POSITIVE_INFINITY).length;
  return never === 0 ? ` (n ${values.length})` : ` (${never} of ${values.length} never)`;
}

const show = ({ value, low, high }: Estimate): string =>
  `${figure(value)} [${figure(low)}, ${figure(high)}]`;

/** Four digits that mean something. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'unknown' : value > 0 ? '∞' : '−∞';
  const text = Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
  return text.replace('-', '−');
}
