import type { Baseline } from '../tasks/baseline.ts';
import type { Result } from './result.ts';

/** Results side by side, in columns of plain text; the last line is of the answer that needs no network. */
export function resultTable(
  title: string,
  results: readonly Result[],
  baseline?: Baseline,
): string {
  const target = results[0]?.target ?? '';
  const others = Object.keys(results[0]?.metrics ?? {}).filter((name) => name !== 'accuracy');
  const header = [
    ['', 'method'],
    ['test', 'accuracy'],
    ...others.map((name) => ['test', name]),
    ['test', 'loss'],
    ['train', 'loss'],
    ['', 'seconds'],
    ['epochs', `to ${target}`],
    ['seconds', `to ${target}`],
  ];
  const rows = results.map((result) => [
    result.optimizer,
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
  const lines = [header.map(([above]) => above), header.map(([, below]) => below), ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const align = (line: string[]) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('   ')
      .trimEnd();
  const [above, below, ...body] = lines.map(align);
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width + 3, -3));
  return [title, '', above, below, rule, ...body].join('\n');
}

const NONE = '–';

const figure = (value: number | undefined): string => value?.toFixed(4) ?? NONE;
