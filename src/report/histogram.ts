import { mean } from '../statistics.ts';
import { rounded, shown, unique } from './numbers.ts';
import { looks, type Names, type Plot, SHOWN, ZOOM } from './plot.ts';
import { referenceLayers } from './references.ts';
import type { Histogram } from './report.ts';

export function histogram(section: Histogram, names: Names): Plot {
  const { x, bins = 40, mark, series } = section;
  const held = series
    .map(({ method, values }) => ({
      m: names.number(method),
      method,
      values: values.filter(Number.isFinite),
    }))
    .filter(({ values }) => values.length > 0);
  const all = held.flatMap(({ values }) => values);
  const [least, most] = all.reduce(
    ([a, b], value) => [Math.min(a, value), Math.max(b, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  // Values that are all the same have one bin around them.
  const width = (most - least) / bins || Math.abs(least) / bins || 1;
  const counted = held.map(({ m, method, values }) => {
    const counts = new Array<number>(bins).fill(0);
    for (const value of values) counts[Math.min(bins - 1, Math.floor((value - least) / width))]++;
    const density = counts.map((count) => count / (values.length * width));
    return { m, method, density };
  });
  const methods = unique(counted.map(({ m }) => m)).sort((a, b) => a - b);
  const bars = counted.flatMap(({ m, method, density }) =>
    [...density, 0].map((y, i) => ({
      m,
      name: method,
      x: rounded(least + i * width),
      end: rounded(least + (i + 1) * width),
      y: rounded(y),
    })),
  );
  const axis = { format: ',.6~g', tickCount: 6 };
  const at = {
    x: {
      field: 'x',
      type: 'quantitative',
      title: x,
      scale: { zero: false, nice: false, padding: 10 },
      axis,
    },
    y: { field: 'y', type: 'quantitative', title: 'density', axis },
  };
  const { color, strokeDash } = looks(methods);
  const top = Math.max(0, ...bars.map(({ y }) => y));
  return {
    spec: {
      height: 280,
      datasets: { bars },
      layer: [
        {
          data: { name: 'bars' },
          transform: [SHOWN],
          mark: { type: 'area', interpolate: 'step-after', opacity: 0.22, clip: true },
          encoding: { ...at, y: { ...at.y, stack: null }, color },
        },
        {
          params: [ZOOM],
          data: { name: 'bars' },
          transform: [SHOWN],
          mark: { type: 'line', interpolate: 'step-after', strokeWidth: 1.6, clip: true },
          encoding: {
            ...at,
            color,
            strokeDash,
            tooltip: [
              { field: 'name', title: ' ' },
              { field: 'x', title: 'from', format: '.5~g' },
              { field: 'end', title: 'to', format: '.5~g' },
              { field: 'y', title: 'density', format: '.4~g' },
            ],
          },
        },
        ...(mark === undefined
          ? []
          : referenceLayers(
              [
                {
                  name: mark.name,
                  points: [
                    [mark.x, 0],
                    [mark.x, top * 1.05],
                  ],
                },
              ],
              at,
            )),
      ],
    },
    methods,
    zoom: true,
    alt: `Histogram of ${x}: ${held
      .map(
        ({ method, values }) =>
          `${method} ${shown(values.length)} values, mean ${shown(mean(values))}`,
      )
      .join('; ')}.`,
    note: '',
    runs: [],
    data: {
      columns: [
        { name: 'method' },
        ...['from', 'to', 'density'].map((name) => ({ name, numeric: true })),
      ],
      rows: counted.flatMap(({ method, density }) =>
        density.map((y, i) => [method, least + i * width, least + (i + 1) * width, y]),
      ),
    },
  };
}
