import type { Result } from './result.ts';

/** Results side by side, in columns of plain text. */
export function resultTable(title: string, results: readonly Result[]): string {
  const target = results[0]?.target ?? '';
  const header = [
    ['', 'method'],
    ['test', 'accuracy'],
    ['test', 'loss'],
    ['train', 'loss'],
    ['', 'seconds'],
    ['epochs', `to ${target}`],
    ['seconds', `to ${target}`],
  ];
  const rows = results.map((result) => [
    result.optimizer,
    result.testAccuracy?.toFixed(4) ?? '–',
    result.testLoss.toFixed(4),
    result.trainLoss.toFixed(4),
    result.seconds.toFixed(1),
    result.epochsToTarget?.toString() ?? '–',
    result.secondsToTarget?.toFixed(1) ?? '–',
  ]);
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
