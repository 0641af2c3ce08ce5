import { rounded, shown, unique } from './numbers.ts';
import { looks, type Names, type Plot, SHOWN, ZOOM } from './plot.ts';
import { referenceLayers } from './references.ts';
import type { Scatter } from './report.ts';

export function scatter(section: Scatter, names: Names): Plot {
  const { x, y, logX, logY, references = [], values } = section;
  const drawable = (value: number, log: boolean | undefined) =>
    Number.isFinite(value) && !(log && value <= 0);
  const points = values
    .filter((each) => drawable(each.x, logX) && drawable(each.y, logY))
    .map(({ method, run = '', ...each }) => ({
      m: names.number(method),
      name: method,
      run,
      x: rounded(each.x),
      y: rounded(each.y),
    }));
  const methods = unique(points.map(({ m }) => m)).sort((a, b) => a - b);
  const axis = (field: 'x' | 'y', title: string, log: boolean | undefined) => ({
    field,
    type: 'quantitative',
    title,
    scale: { type: log ? 'log' : 'linear', zero: false, nice: false, padding: 14 },
    axis: { format: ',.6~g', tickCount: 6 },
  });
  const at = { x: axis('x', x, logX), y: axis('y', y, logY) };
  const { color, shape } = looks(methods);
  const lost = values.length - points.length;
  return {
    spec: {
      height: 300,
      datasets: { points },
      layer: [
        ...referenceLayers(references, at),
        {
          params: [ZOOM],
          data: { name: 'points' },
          transform: [SHOWN],
          mark: { type: 'point', filled: true, size: 46, opacity: 0.8, clip: true },
          encoding: {
            ...at,
            color,
            shape,
            tooltip: [
              { field: 'name', title: ' ' },
              ...(points.some(({ run }) => run !== '') ? [{ field: 'run', title: 'of' }] : []),
              { field: 'x', title: x, format: '.5~g' },
              { field: 'y', title: y, format: '.5~g' },
            ],
          },
        },
      ],
    },
    methods,
    zoom: true,
    alt: `Points of ${y} against ${x}, ${methods
      .map((m) => `${names.all[m]} ${shown(points.filter((each) => each.m === m).length)}`)
      .join(', ')}.`,
    note: lost > 0 ? `${shown(lost)} of ${shown(values.length)} have no place on these axes.` : '',
    runs: [],
    data: {
      columns: [
        { name: 'method' },
        { name: 'of' },
        { name: x, numeric: true },
        { name: y, numeric: true },
      ],
      rows: values.map((each) => [each.method, each.run ?? '', each.x, each.y]),
    },
  };
}
