import { rounded, shown, unique } from './numbers.ts';
import { looks, type Names, type Plot, SHOWN, ZOOM } from './plot.ts';
import type { Landscape } from './report.ts';

export function landscape(section: Landscape, names: Names): Plot {
  const { x, y, domain, contours, paths, minimum, field = [], outlines = [], animated } = section;
  const named = [...outlines, ...paths].map(({ method }) => names.number(method));
  const methods = unique(named).sort((a, b) => a - b);
  const rows = (points: readonly (readonly [number, number])[], more: object) =>
    points.map(([a, b], k) => ({ ...more, k, x: rounded(a), y: rounded(b) }));
  const lines = contours.flatMap(({ points }, line) => rows(points, { line }));
  const steps = paths.flatMap(({ method, points }) =>
    rows(points, { m: names.number(method), name: method, end: points.length - 1 }),
  );
  const rings = outlines.flatMap(({ method, points }) => rows(points, { m: names.number(method) }));
  const arrows = field.map((each) => ({
    x: rounded(each.x),
    y: rounded(each.y),
    x2: rounded(each.x + each.dx),
    y2: rounded(each.y + each.dy),
  }));
  const last = Math.max(0, ...steps.map(({ k }) => k));
  const reached = { filter: 'datum.k <= frame' };
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
      ...(section.width !== undefined && { width: section.width }),
      params: [{ name: 'frame', value: last }],
      datasets: {
        lines,
        labels,
        steps,
        rings,
        arrows,
        minima: minimum === undefined ? [] : rows([minimum], {}),
      },
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
        ...(arrows.length === 0
          ? []
          : [
              {
                data: { name: 'arrows' },
                mark: { type: 'rule', strokeWidth: 1.1, color: 'var(--muted)', clip: true },
                encoding: { ...place, x2: { field: 'x2' }, y2: { field: 'y2' } },
              },
              {
                data: { name: 'arrows' },
                mark: { type: 'point', filled: true, size: 9, color: 'var(--muted)', clip: true },
                encoding: place,
              },
            ]),
        ...(rings.length === 0
          ? []
          : [
              {
                data: { name: 'rings' },
                transform: [SHOWN],
                mark: { type: 'line', interpolate: 'linear-closed', strokeWidth: 2.2, clip: true },
                encoding: { ...place, color, detail: { field: 'm' }, order },
              },
            ]),
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
          transform: [SHOWN, reached],
          mark: { type: 'line', strokeWidth: 1.8, strokeJoin: 'round', clip: true },
          encoding: { ...place, color: bare, order },
        },
        {
          data: { name: 'steps' },
          transform: [SHOWN, reached, { filter: 'datum.k > 0' }],
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
        ...(animated
          ? [
              {
                data: { name: 'steps' },
                transform: [SHOWN, { filter: 'datum.k === min(frame, datum.end)' }],
                mark: {
                  type: 'point',
                  filled: true,
                  size: 130,
                  opacity: 1,
                  stroke: 'var(--page)',
                  strokeWidth: 1.5,
                  clip: true,
                },
                encoding: { ...place, color: bare },
              },
            ]
          : []),
      ],
    },
    methods,
    zoom: true,
    ...(animated && { frames: last }),
    alt: `${[
      contours.length > 0 && 'level lines',
      field.length > 0 && 'a vector field',
      outlines.length > 0 && `outlines of ${outlines.map(({ method }) => method).join(', ')}`,
    ]
      .filter(Boolean)
      .join(', ')}. ${paths
      .map(({ method, points }) => {
        const [a, b] = points.at(-1) ?? [Number.NaN, Number.NaN];
        return `${method} ends at (${shown(a)}, ${shown(b)}) after ${points.length - 1} steps`;
      })
      .join('; ')}.`,
    note: [
      paths.length > 0 && 'From the circle; every point is a step.',
      minimum !== undefined && '+ marks the minimum.',
      field.length > 0 && 'The field points away from its dots.',
    ]
      .filter(Boolean)
      .join(' '),
    runs: [],
    data: {
      columns: [{ name: 'method' }, ...['step', x, y].map((name) => ({ name, numeric: true }))],
      rows: paths.flatMap(({ method, points }) => points.map(([a, b], k) => [method, k, a, b])),
    },
  };
}
