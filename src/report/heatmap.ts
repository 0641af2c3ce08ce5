import { rounded, shown, unique } from './numbers.ts';
import type { Plot } from './plot.ts';
import type { Heatmap } from './report.ts';

type Value = number | string;

export function heatmap(section: Heatmap): Plot {
  const { x, y, measure, better, cells } = section;
  const columns = inOrder(cells.map((cell) => cell.x));
  const lines = inOrder(cells.map((cell) => cell.y));
  const isHeld = (value: number | null): value is number =>
    value !== null && Number.isFinite(value);
  const held = cells.map(({ value }) => value).filter(isHeld);
  const best = better === 'high' ? Math.max(...held) : Math.min(...held);
  const [least, most] = [Math.min(...held), Math.max(...held)];
  const data = cells.map((cell) => ({
    x: columns.indexOf(cell.x),
    y: lines.indexOf(cell.y),
    column: text(cell.x),
    line: text(cell.y),
    value: isHeld(cell.value) ? rounded(cell.value) : null,
    text: isHeld(cell.value) ? shown(cell.value) : '×',
    best: cell.value === best,
    // Of the colours' range, to write on them in black or white.
    place: isHeld(cell.value) && most > least ? rounded((cell.value - least) / (most - least)) : 0,
  }));
  const axis = (field: 'x' | 'y', title: string, values: readonly Value[]) => ({
    field,
    type: 'ordinal',
    title,
    scale: { domain: ascending(field, values), paddingInner: 0.04, paddingOuter: 0 },
    sort: null,
    axis: {
      labelExpr: `${field}s[datum.value]`,
      grid: false,
      labelAngle: 0,
      labelOverlap: true,
      labelLimit: 110,
    },
  });
  const at = { x: axis('x', x, columns), y: axis('y', y, lines) };
  const light = better === 'high' ? 'datum.place > 0.55' : 'datum.place < 0.45';
  return {
    spec: {
      height: Math.max(120, Math.min(420, 36 * lines.length)),
      params: [
        { name: 'xs', value: columns.map(text) },
        { name: 'ys', value: lines.map(text) },
      ],
      data: { name: 'cells' },
      datasets: { cells: data },
      layer: [
        {
          mark: { type: 'rect', invalid: null, cornerRadius: 2 },
          encoding: {
            ...at,
            color: {
              condition: { test: '!isValid(datum.value)', value: 'var(--grid)' },
              field: 'value',
              type: 'quantitative',
              title: measure,
              scale: { scheme: 'viridis', reverse: better === 'low' },
              legend: {
                orient: 'bottom',
                direction: 'horizontal',
                gradientLength: 220,
                format: ',.6~g',
              },
            },
            tooltip: [
              { field: 'column', title: x },
              { field: 'line', title: y },
              { field: 'text', title: measure },
            ],
          },
        },
        {
          transform: [{ filter: 'datum.best' }],
          mark: {
            type: 'rect',
            filled: false,
            strokeWidth: 2.5,
            stroke: 'var(--ink)',
            cornerRadius: 2,
          },
          encoding: at,
        },
        {
          mark: { type: 'text', fontSize: 10.5, limit: { expr: "bandwidth('x')" } },
          encoding: {
            ...at,
            text: { field: 'text' },
            color: {
              condition: [
                { test: '!isValid(datum.value)', value: 'var(--muted)' },
                { test: light, value: '#101418' },
              ],
              value: '#ffffff',
            },
            // Where the cells have no room the legend and the tooltip tell.
            opacity: { condition: { test: "bandwidth('x') < 34", value: 0 }, value: 1 },
          },
        },
      ],
    },
    methods: [],
    alt: `Grid of ${measure} over ${x} and ${y}, from ${shown(least)} to ${shown(most)}; best: ${data
      .filter((cell) => cell.best)
      .map((cell) => `${cell.text} at ${x} ${cell.column}, ${y} ${cell.line}`)
      .join(', ')}.`,
    note: `Framed: the best.${held.length < cells.length ? ' × diverged.' : ''}`,
    runs: [],
    data: {
      columns: [
        { name: x, numeric: isNumeric(columns) },
        { name: y, numeric: isNumeric(lines) },
        { name: measure, numeric: true },
      ],
      rows: cells.map((cell) => [cell.x, cell.y, cell.value]),
    },
  };
}

/** To the right, and upwards where they are numbers. */
function ascending(field: 'x' | 'y', values: readonly Value[]): number[] {
  const places = values.map((_, i) => i);
  return field === 'y' && isNumeric(values) ? places.reverse() : places;
}

const text = (value: Value): string => (typeof value === 'number' ? shown(value) : value);
const isNumeric = (values: readonly Value[]) => values.every((each) => typeof each === 'number');

/** Numbers by size, other values as they come. */
function inOrder(values: readonly Value[]): Value[] {
  const all = unique(values);
  return isNumeric(all) ? (all as number[]).sort((a, b) => a - b) : all;
}
