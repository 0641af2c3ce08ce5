import { rounded, shown, unique } from './numbers.ts';
import { looks, type Names, type Plot, SHOWN, ZOOM } from './plot.ts';
import type { Sensitivity } from './report.ts';

export function sensitivity(section: Sensitivity, names: Names): Plot {
  const { x, y, logY, better, series } = section;
  const drawable = (value: number) => Number.isFinite(value) && !(logY && value <= 0);
  const all = series.flatMap(({ method, points }) =>
    points
      .filter((point) => point.x > 0 && Number.isFinite(point.x))
      .toSorted((a, b) => a.x - b.x)
      .map((point) => ({ m: names.number(method), ...point })),
  );
  const held = all.filter((point) => drawable(point.y));
  const methods = unique(all.map(({ m }) => m)).sort((a, b) => a - b);
  const bestOf = methods.flatMap((m) => {
    const own = held.filter((point) => point.m === m);
    const sign = better === 'high' ? 1 : -1;
    return own.length === 0 ? [] : [own.reduce((a, b) => (sign * (b.y - a.y) > 0 ? b : a))];
  });
  const points = held.map((point) => {
    const { m, low, high } = point;
    return {
      m,
      name: names.all[m],
      x: rounded(point.x),
      y: rounded(point.y),
      low: rounded(low !== undefined && drawable(low) ? low : point.y),
      high: rounded(high !== undefined && drawable(high) ? high : point.y),
      best: bestOf.includes(point),
      interval: low === undefined || high === undefined ? '–' : `${shown(low)} … ${shown(high)}`,
    };
  });
  const lost = all.filter((point) => !Number.isFinite(point.y));
  const spread = all.some(({ low }) => low !== undefined);
  const at = {
    x: {
      field: 'x',
      type: 'quantitative',
      title: x,
      scale: { type: 'log', nice: false, padding: 12 },
      axis: { format: ',.6~g', tickCount: 6 },
    },
    y: {
      field: 'y',
      type: 'quantitative',
      title: y,
      scale: { type: logY ? 'log' : 'linear', zero: false, nice: false, padding: 18 },
      axis: { format: ',.6~g', tickCount: 6 },
    },
  };
  const { color, strokeDash, shape } = looks(methods);
  return {
    spec: {
      height: 300,
      data: { name: 'points' },
      datasets: {
        points,
        lost: lost.map(({ m, x: rate }) => ({ m, name: names.all[m], x: rounded(rate) })),
      },
      layer: [
        {
          transform: [SHOWN],
          mark: { type: 'area', opacity: spread ? 0.14 : 0, clip: true },
          encoding: { ...at, y: { ...at.y, field: 'low' }, y2: { field: 'high' }, color },
        },
        {
          params: [ZOOM],
          transform: [SHOWN],
          mark: { type: 'line', strokeWidth: 2, clip: true, strokeJoin: 'round' },
          encoding: { ...at, color, strokeDash },
        },
        {
          transform: [SHOWN, { filter: 'datum.best' }],
          mark: { type: 'point', size: 210, strokeWidth: 1.6, clip: true, shape: 'circle' },
          encoding: { ...at, color },
        },
        {
          transform: [SHOWN],
          mark: { type: 'point', filled: true, size: 50, opacity: 1, clip: true },
          encoding: {
            ...at,
            color,
            shape,
            tooltip: [
              { field: 'name', title: ' ' },
              { field: 'x', title: x, format: '.4~g' },
              { field: 'y', title: y, format: '.5~g' },
              ...(spread ? [{ field: 'interval', title: 'interval' }] : []),
            ],
          },
        },
        {
          data: { name: 'lost' },
          transform: [SHOWN],
          mark: { type: 'text', text: '×', fontSize: 18, clip: true, y: 8 },
          encoding: {
            x: at.x,
            color,
            tooltip: [
              { field: 'name', title: ' ' },
              { field: 'x', title: 'diverged at', format: '.4~g' },
            ],
          },
        },
      ],
    },
    methods,
    zoom: true,
    alt: `${y} against ${x}. Best: ${bestOf.map((point) => `${names.all[point.m]} ${shown(point.y)} at ${shown(point.x)}`).join(', ')}.`,
    note: `Circled: the best of each method.${spread ? ' Band: interval.' : ''}${lost.length > 0 ? ' × at the top: diverged.' : ''}`,
    runs: [],
    data: {
      columns: [
        { name: 'method' },
        ...[x, y, ...(spread ? ['low', 'high'] : [])].map((name) => ({ name, numeric: true })),
      ],
      rows: all.map(({ m, x: rate, y: value, low, high }) => [
        names.all[m],
        rate,
        value,
        ...(spread ? [low ?? null, high ?? null] : []),
      ]),
    },
  };
}
