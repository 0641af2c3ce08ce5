import { rounded, shown, unique } from './numbers.ts';
import type { Plot } from './plot.ts';
import type { Heatmap } from './report.ts';

type Value = number | string;

/** From so many columns on cells have neither gaps nor numbers. */
const DENSE = 32;

export function heatmap(section: Heatmap): Plot {
  const { x, y, measure, better, scale = 'linear', downwards, cells } = section;
  const columns = inOrder(cells.map((cell) => cell.x));
  const lines = inOrder(cells.map((cell) => cell.y));
  const isHeld = (value: number | null): value is number =>
    value !== null && Number.isFinite(value) && !(scale === 'log' && value <= 0);
  const held = cells.map(({ value }) => value).filter(isHeld);
  const [least, most] = [Math.min(...held), Math.max(...held)];
  const best = better === undefined ? undefined : better === 'high' ? most : least;
  const largest = Math.max(Math.abs(least), Math.abs(most));
  /** Where on the range of colours. */
  const placeOf = (value: number) => {
    if (scale === 'diverging') return Math.abs(value) / largest;
    if (most === least) return 0;
    const of = scale === 'log' ? Math.log : (a: number) => a;
    return (of(value) - of(least)) / (of(most) - of(least));
  };
  const dense = columns.length > DENSE;
  const data = cells.map((cell) => ({
    x: columns.indexOf(cell.x),
    y: lines.indexOf(cell.y),
    column: text(cell.x),
    line: text(cell.y),
    value: isHeld(cell.value) ? rounded(cell.value) : null,
    text: isHeld(cell.value) ? shown(cell.value) : '×',
    best: cell.value === best,
    // To write on colours in black or white.
    ...(!dense && { place: isHeld(cell.value) ? rounded(placeOf(cell.value)) : 0 }),
  }));
  const axis = (field: 'x' | 'y', title: string, values: readonly Value[]) => ({
    field,
    type: 'ordinal',
    title,
    scale: {
      domain: ascending(field, values, downwards),
      paddingInner: dense ? 0 : 0.04,
      paddingOuter: 0,
    },
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
  const light =
    scale === 'diverging' || better === 'low' ? 'datum.place < 0.45' : 'datum.place > 0.55';
  const colours =
    scale === 'diverging'
      ? { scheme: 'blueorange', domain: [-largest, largest] }
      : { type: scale, scheme: 'viridis', reverse: better === 'low' };
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
          mark: { type: 'rect', invalid: null, cornerRadius: dense ? 0 : 2 },
          encoding: {
            ...at,
            color: {
              condition: { test: '!isValid(datum.value)', value: 'var(--grid)' },
              field: 'value',
              type: 'quantitative',
              title: measure,
              scale: colours,
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
        ...(dense
          ? []
          : [
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
            ]),
      ],
    },
    methods: [],
    alt: `Grid of ${measure} over ${x} and ${y}, from ${shown(least)} to ${shown(most)}${
      better === undefined ? '' : '; best: '
    }${data
      .filter((cell) => cell.best)
      .map((cell) => `${cell.text} at ${x} ${cell.column}, ${y} ${cell.line}`)
      .join(', ')}.`,
    note: [
      better !== undefined && 'Framed: the best.',
      held.length < cells.length && (scale === 'log' ? 'Grey: no logarithm.' : '× diverged.'),
    ]
      .filter(Boolean)
      .join(' '),
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
function ascending(field: 'x' | 'y', values: readonly Value[], downwards = false): number[] {
  const places = values.map((_, i) => i);
  return field === 'y' && isNumeric(values) && !downwards ? places.reverse() : places;
}

const text = (value: Value): string => (typeof value === 'number' ? shown(value) : value);
const isNumeric = (values: readonly Value[]) => values.every((each) => typeof each === 'number');

/** Numbers by size, other values as they come. */
function inOrder(values: readonly Value[]): Value[] {
  const all = unique(values);
  return isNumeric(all) ? (all as number[]).sort((a, b) => a - b) : all;
}
