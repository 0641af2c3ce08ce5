import type { ComparisonResult, SubjectResult } from './runner.ts';

const UNITS: readonly (readonly [number, string])[] = [
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs'],
];

/** Three significant digits and a unit. */
export function showSeconds(seconds: number): string {
  const [scale, unit] = UNITS.find(([size]) => seconds >= size) ?? UNITS[UNITS.length - 1];
  return `${showNumber(seconds / scale)} ${unit}`;
}

const showNumber = (x: number): string => {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(x)));
  return x.toFixed(Math.min(digits, 3));
};

function showMemory(memory: NonNullable<SubjectResult['memory']>): string {
  const show = (bytes: number) => `${showNumber(bytes / 2 ** 20)} MiB`;
  const { arena, unshared, stored, peak } = memory;
  const process = `process ${show(peak)}`;
  if (arena === undefined || unshared === undefined || stored === undefined) return process;
  return `temporaries ${show(arena)}, ${show(unshared)} without reuse; stored ${show(stored)}; ${process}`;
}

/** One line a subject, in aligned columns; the first subject of each block is the baseline. */
export function comparisonTable(results: readonly ComparisonResult[]): string {
  const header = ['work', 'subject', 'time', 'rate', 'ratio', 'spread', ''];
  const rows = results.flatMap(({ name, ratio, subjects }) =>
    subjects.map((subject, i) => [i === 0 ? name : '', ...cells(ratio, subject)]),
  );
  return alignColumns([header, ...rows], 'llrrrrl');
}

function cells(
  kind: ComparisonResult['ratio'],
  { subject, seconds, rate, ratio, measured, memory }: SubjectResult,
): string[] {
  const suffix = kind === 'speedup' ? '× as fast' : '× the time';
  return [
    subject,
    showSeconds(seconds.median),
    rate === undefined ? '' : `${showNumber(rate.giga)} ${rate.unit}`,
    ratio === undefined ? '' : `${showNumber(ratio.median)}${suffix}`,
    ratio === undefined ? '' : `${showNumber(ratio.min)}–${showNumber(ratio.max)}`,
    [measured, memory && showMemory(memory)]
      .flatMap((note) => (note ? [`(${note})`] : []))
      .join(' '),
  ];
}

/** Pads every column to its widest cell; `sides` says for each whether its cells stand left or right. */
export function alignColumns(rows: readonly (readonly string[])[], sides: string): string {
  const widths = [...sides].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const pad = (cell: string, i: number) =>
    sides[i] === 'l' ? cell.padEnd(widths[i]) : cell.padStart(widths[i]);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}
