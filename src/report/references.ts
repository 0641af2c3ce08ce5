import { rounded } from './numbers.ts';
import type { Reference } from './report.ts';

/** Lines that runs are compared with, each named where it ends. */
export function referenceLayers(references: readonly Reference[], at: object): object[] {
  if (references.length === 0) return [];
  const lines = references.flatMap(({ name, points }, line) =>
    points.map(([x, y], k) => ({
      line,
      k,
      x: rounded(x),
      y: rounded(y),
      text: k === points.length - 1 ? name : '',
    })),
  );
  const color = 'var(--muted)';
  return [
    {
      data: { values: lines },
      mark: { type: 'line', strokeDash: [5, 4], strokeWidth: 1.3, color, clip: true },
      encoding: { ...at, detail: { field: 'line' }, order: { field: 'k', type: 'quantitative' } },
    },
    {
      data: { values: lines.filter(({ text }) => text !== '') },
      mark: { type: 'text', align: 'right', dy: -8, fontSize: 11, color },
      encoding: { ...at, text: { field: 'text' } },
    },
  ];
}
