import { rounded, shown, unique } from './numbers.ts';
import { looks, type Names, type Plot, SHOWN, ZOOM } from './plot.ts';
import type { Landscape } from './report.ts';

export function landscape(section: Landscape, names: Names): Plot {
  const { x, y, domain, contours, paths, minimum } = section;
  const methods = unique(paths.map(({ method }) => names.number(method))).sort((a, b) => a - b);
  const rows = (points: readonly (readonly [number, number])[], more: object) =>
    points.map(([a, b], k) => ({ ...more, k, x: rounded(a), y: rounded(b) }));
  const lines = contours.flatMap(({ points }, line) => rows(points, { line }));
  const steps = paths.flatMap(({ method, points }) =>
    rows(points, { m: names.number(method), name: method }),
  );
  const axis = { tickCount: 5, grid: false };
  const at = (field: 'x' | 'y', title: string, range: readonly [number, number]) => ({
    field,
    type: 'quantitative',
    title,
    scale: { domain: range, nice: false, zero: false },
    axis: field === 'x' ? axis : { ...axis, titleAngle: 0, titleAlign: 'right' },
  });
  const place = { x: at('x', x, domain.x), y: at('y', y, domain.y) };
  const { color } = looks(methods);
  // One alone stands out from the valley's blue.
  const of = methods.length > 1 ? color : { value: 'var(--series-1)' };
  const bare = methods.length > 1 ? { ...color, legend: null } : of;
  const order = { field: 'k', type: 'quantitative' };
  const labels = contours.flatMap(({ level, label }) =>
    label === undefined ? [] : [{ x: label[0], y: label[1], text: shown(level) }],
  );
  return {
    spec: {
      height: section.height ?? 360,
      datasets: { lines, labels, steps, minima: minimum === undefined ? [] : rows([minimum], {}) },
      layer: [
        {
          // Every level lies within those above it: their fills add up, darkest at the bottom of the valley.
          data: { name: 'lines' },
          mark: {
            type: 'line',
            interpolate: 'linear-closed',
            strokeWidth: 0.8,
            stroke: 'var(--muted)',
            strokeOpacity: 0.55,
            fill: 'var(--series-0)',
            fillOpacity: 0.075,
            clip: true,
          },
          encoding: { ...place, detail: { field: 'line' }, order },
        },
        ...[{ stroke: 'var(--page)', strokeWidth: 3, strokeOpacity: 0.7 }, {}].map((edge) => ({
          data: { name: 'labels' },
          mark: { type: 'text', fontSize: 10, color: 'var(--muted)', clip: true, ...edge },
          encoding: { ...place, text: { field: 'text' } },
        })),
        {
          data: { name: 'minima' },
          mark: {
            type: 'point',
            shape: 'cross',
            filled: true,
            size: 150,
            opacity: 1,
            color: 'var(--series-2)',
            stroke: 'var(--page)',
            strokeWidth: 1,
          },
          encoding: place,
        },
        {
          params: [ZOOM],
          data: { name: 'steps' },
          transform: [SHOWN],
          mark: { type: 'line', strokeWidth: 1.8, strokeJoin: 'round', clip: true },
          encoding: { ...place, color: bare, order },
        },
        {
          data: { name: 'steps' },
          transform: [SHOWN, { filter: 'datum.k > 0' }],
          mark: { type: 'point', filled: true, size: 16, opacity: 1, clip: true },
          encoding: {
            ...place,
            color: of,
            tooltip: [
              { field: 'name', title: ' ' },
              { field: 'k', title: 'step' },
              { field: 'x', title: x, format: '.4~g' },
              { field: 'y', title: y, format: '.4~g' },
            ],
          },
        },
        {
          data: { name: 'steps' },
          transform: [SHOWN, { filter: 'datum.k === 0' }],
          mark: { type: 'point', size: 90, strokeWidth: 2, fill: 'var(--page)', clip: true },
          encoding: { ...place, color: bare },
        },
      ],
    },
    methods,
    zoom: true,
    alt: `Paths over level lines. ${paths
      .map(({ method, points }) => {
        const [a, b] = points.at(-1) ?? [Number.NaN, Number.NaN];
        return `${method} ends at (${shown(a)}, ${shown(b)}) after ${points.length - 1} steps`;
      })
      .join('; ')}.`,
    note: 'From the circle; + marks the minimum; every point is a step.',
    runs: [],
    data: {
      columns: [{ name: 'method' }, ...['step', x, y].map((name) => ({ name, numeric: true }))],
      rows: paths.flatMap(({ method, points }) => points.map(([a, b], k) => [method, k, a, b])),
    },
  };
}
