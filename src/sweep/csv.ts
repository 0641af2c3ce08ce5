import type { Finished } from './trial.ts';

/** A line for every trial in the order of its point and seed: values, measures, what came of it. RFC 4180, dots in numbers. */
export function csvOf(trials: readonly Finished[]): string {
  const ordered = [...trials].sort((a, b) => a.point - b.point || a.seed - b.seed);
  const names = (of: (trial: Finished) => object) => [
    ...new Set(ordered.flatMap((trial) => Object.keys(of(trial)))),
  ];
  const values = names((trial) => trial.values);
  const measures = names((trial) => trial.measures);
  const header = ['point', 'seed', ...values, 'status', ...measures, 'seconds', 'reason'];
  const rows = ordered.map((trial) => [
    trial.point,
    trial.seed,
    ...values.map((name) => trial.values[name]),
    trial.status,
    ...measures.map((name) => trial.measures[name]),
    trial.seconds,
    trial.reason,
  ]);
  return [header, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

function field(value: unknown): string {
  if (value === undefined) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
