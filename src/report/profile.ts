import { rounded, shown, unique } from './numbers.ts';
import { looks, type Names, type Plot, SHOWN, ZOOM } from './plot.ts';
import type { Profile } from './report.ts';

export function profile(section: Profile, names: Names): Plot {
  const { x = 'cost, as a multiple of the best', series } = section;
  const finite = series.map((each) => ({
    m: names.number(each.method),
    points: each.points.filter(
      ([ratio, share]) => Number.isFinite(ratio) && Number.isFinite(share),
    ),
  }));
  const methods = unique(finite.map(({ m }) => m)).sort((a, b) => a - b);
  const most = Math.max(2, ...finite.flatMap(({ points }) => points.map(([ratio]) => ratio))) * 1.1;
  // Every method's steps begin at 1, with nothing solved if need be, and end where the plot does.
  const steps = finite.flatMap(({ m, points }) => {
    const begin = points[0]?.[0] === 1 ? [] : [[1, 0]];
    const end = [most, points.at(-1)?.[1] ?? 0];
    return [...begin, ...points, end].map(([ratio, share]) => ({
      m,
      name: names.all[m],
      x: rounded(ratio),
      y: rounded(share),
    }));
  });
  const at = {
    x: {
      field: 'x',
      type: 'quantitative',
      title: x,
      scale: { type: 'log', base: 2, nice: false },
      axis: { format: ',.6~g', tickCount: 6 },
    },
    y: {
      field: 'y',
      type: 'quantitative',
      title: 'share of tasks solved',
      scale: { domain: [0, 1.04], nice: false },
      axis: { format: '.0%', values: [0, 0.2, 0.4, 0.6, 0.8, 1] },
    },
  };
  const { color, strokeDash, shape } = looks(methods);
  const tooltip = [
    { field: 'name', title: ' ' },
    { field: 'x', title: x, format: '.4~g' },
    { field: 'y', title: 'share of tasks', format: '.0%' },
  ];
  return {
    spec: {
      height: 280,
      data: { name: 'steps' },
      datasets: { steps },
      transform: [SHOWN],
      layer: [
        {
          params: [ZOOM],
          mark: { type: 'line', interpolate: 'step-after', strokeWidth: 2.2, clip: true },
          encoding: { ...at, color, strokeDash },
        },
        {
          mark: { type: 'point', filled: true, size: 55, opacity: 1, clip: true },
          transform: [{ filter: `datum.x < ${rounded(most)}` }],
          encoding: { ...at, color, shape, tooltip },
        },
      ],
    },
    methods,
    zoom: true,
    alt: `Performance profile. Within ${shown(most)} times the best: ${finite
      .map(({ m, points }) => `${names.all[m]} ${shown(100 * (points.at(-1)?.[1] ?? 0))} %`)
      .join(', ')} of the tasks.`,
    note: 'At 1: the share of tasks on which a method is the best; further up and to the left is better.',
    runs: [],
    data: {
      columns: [{ name: 'method' }, { name: x, numeric: true }, { name: 'share', numeric: true }],
      rows: finite.flatMap(({ m, points }) => points.map(([a, b]) => [names.all[m], a, b])),
    },
  };
}
