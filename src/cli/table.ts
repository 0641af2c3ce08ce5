import type { Result } from './result.ts';
import type { RunSettings } from './settings.ts';

/** Results side by side, in columns of plain text; the last line is of the answer that needs no network. */
export function resultTable(
  title: string,
  results: readonly Result[],
  { baseline, validation }: Pick<RunSettings, 'baseline' | 'validation'> = {},
): string {
  const target = results[0]?.target ?? '';
  const others = Object.keys(results[0]?.metrics ?? {}).filter((name) => name !== 'accuracy');
  const header = [
    ['', 'method'],
    ...['accuracy', ...others, 'loss'].map((name) => [validation ? 'held out' : 'test', name]),
    ['train', 'loss'],
    ['', 'seconds'],
    ['epochs', `to ${target}`],
    ['seconds', `to ${target}`],
  ];
  const rows = results.map((result) => [
    result.stopped === undefined ? result.optimizer : `${result.optimizer} (${result.stopped})`,
    figure(result.testAccuracy),
    ...others.map((name) => figure(result.metrics?.[name])),
    result.testLoss.toFixed(4),
    result.trainLoss.toFixed(4),
    result.seconds.toFixed(1),
    result.epochsToTarget?.toString() ?? NONE,
    result.secondsToTarget?.toFixed(1) ?? NONE,
  ]);
  if (baseline !== undefined) {
    const { answer, metrics } = baseline;
    const judged = ['accuracy', ...others].map((name) => figure(metrics[name]));
    rows.push([`always ${answer}`, ...judged, ...Array(5).fill(NONE)]);
  }
  return [
    title,
    '',
    columns([header.map(([above]) => above), header.map(([, below]) => below)], rows),
  ].join('\n');
}

/** Rows under lines of headings and a rule, in columns: the first is text, the others are figures. */
export function columns(
  header: readonly (readonly string[])[],
  rows: readonly (readonly string[])[],
): string {
  const lines = [...header, ...rows];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const align = (line: readonly string[]) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('   ')
      .trimEnd();
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width + 3, -3));
  return [...header.map(align), rule, ...rows.map(align)].join('\n');
}

const NONE = '–';

const figure = (value: number | undefined): string => value?.toFixed(4) ?? NONE;
