import { mean, rounded, shown, thinned, unique } from './numbers.ts';
import { looks, type Names, type Plot, SHOWN, ZOOM } from './plot.ts';
import type { CurveSeries, Curves } from './report.ts';

/** Points that a figure may have, so that pages stay small. */
const MOST_POINTS = 6000;
const MOST_A_SERIES = 400;
/** Up to here every point of a mean gets its shape, above only so many. */
const MARKED = 24;

interface Summary {
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
  readonly seeds: number;
}

export function curves(section: Curves, names: Names): Plot {
  const { x, y, logX, logY, target, series } = section;
  const drawable = ([a, b]: readonly [number, number]): boolean =>
    Number.isFinite(a) && Number.isFinite(b) && !(logX && a <= 0) && !(logY && b <= 0);
  const kept = series.map((each) => {
    const end = each.points.findIndex(([, value]) => !Number.isFinite(value));
    const whole = end === -1 ? each.points : each.points.slice(0, end);
    const most = Math.max(8, Math.min(MOST_A_SERIES, Math.floor(MOST_POINTS / series.length)));
    return {
      ...each,
      m: names.number(each.method),
      points: thinned(whole.filter(drawable), most),
      diverged: end !== -1,
    };
  });
  const methods = unique(kept.map(({ m }) => m)).sort((a, b) => a - b);
  const groups = methods.map((m) => kept.filter((each) => each.m === m));
  const summaries = groups.map(summarise);
  const several = groups.some((group) => group.length > 1);

  const means = methods.flatMap((m, i) => {
    const every = Math.ceil(summaries[i].length / MARKED);
    return summaries[i].map((each, k) => ({
      m,
      name: names.all[m],
      x: rounded(each.x),
      y: rounded(each.y),
      low: rounded(each.low),
      high: rounded(each.high),
      seeds: each.seeds,
      marked: k % every === 0,
      text: each.seeds > 1 ? `${shown(each.low)} … ${shown(each.high)}` : '',
    }));
  });
  const lines = several
    ? kept.flatMap(({ m, points }, line) =>
        points.map(([a, b]) => ({ m, line, x: rounded(a), y: rounded(b) })),
      )
    : [];
  const crosses = kept.flatMap(({ m, run, points, diverged }) => {
    const last = points.at(-1);
    return diverged && last !== undefined ? [{ m, run, x: last[0], y: last[1] }] : [];
  });

  const axis = { tickCount: 6, format: ',.6~g' };
  const at = {
    x: {
      field: 'x',
      type: 'quantitative',
      title: x,
      scale: { type: logX ? 'log' : 'linear', zero: false, nice: false },
      axis,
    },
    y: {
      field: 'y',
      type: 'quantitative',
      title: y,
      scale: { type: logY ? 'log' : 'linear', zero: false },
      axis,
    },
  };
  const { color, strokeDash, shape } = looks(methods);
  const layer: object[] = [
    {
      params: [ZOOM],
      data: { name: 'means' },
      transform: [SHOWN],
      mark: { type: 'area', opacity: several ? 0.14 : 0, clip: true },
      encoding: { ...at, y: { ...at.y, field: 'low' }, y2: { field: 'high' }, color },
    },
    ...(several
      ? [
          {
            data: { name: 'lines' },
            transform: [SHOWN],
            mark: { type: 'line', strokeWidth: 0.7, opacity: 0.45, clip: true },
            encoding: { ...at, color, detail: { field: 'line' } },
          },
        ]
      : []),
    {
      data: { name: 'means' },
      transform: [SHOWN],
      mark: { type: 'line', strokeWidth: 2.2, clip: true, strokeJoin: 'round' },
      encoding: { ...at, color, strokeDash },
    },
    {
      data: { name: 'means' },
      transform: [SHOWN, { filter: 'datum.marked' }],
      mark: { type: 'point', filled: true, size: 38, opacity: 1, clip: true },
      encoding: { ...at, color, shape },
    },
    {
      data: { name: 'crosses' },
      transform: [SHOWN],
      mark: { type: 'text', text: '✕', fontSize: 17, fontWeight: 'bold', clip: true },
      encoding: { ...at, color, tooltip: [{ field: 'run', title: 'diverged' }] },
    },
    {
      params: [
        {
          name: 'hover',
          select: { type: 'point', nearest: true, on: 'pointerover', clear: 'pointerout' },
        },
      ],
      data: { name: 'means' },
      transform: [SHOWN],
      mark: { type: 'point', filled: false, size: 120, strokeWidth: 2, clip: true },
      encoding: {
        ...at,
        color,
        opacity: { condition: { param: 'hover', empty: false, value: 1 }, value: 0 },
        tooltip: [
          { field: 'name', title: ' ' },
          { field: 'x', title: x, format: '.5~g' },
          { field: 'y', title: y, format: '.5~g' },
          ...(several
            ? [
                { field: 'text', title: 'over seeds' },
                { field: 'seeds', title: 'seeds' },
              ]
            : []),
        ],
      },
    },
  ];
  if (target !== undefined) {
    layer.push(
      {
        data: { values: [{ y: target }] },
        mark: { type: 'rule', color: 'var(--muted)', strokeDash: [3, 3], clip: true },
        encoding: { y: at.y },
      },
      {
        data: { values: [{ y: target }] },
        mark: {
          type: 'text',
          text: `target ${shown(target)}`,
          align: 'left',
          dy: -7,
          dx: 4,
          x: 0,
          color: 'var(--muted)',
          fontSize: 11,
          clip: true,
        },
        encoding: { y: at.y },
      },
    );
  }
  const ends = methods.flatMap((m, i) => {
    const last = summaries[i].at(-1);
    return last === undefined ? [] : [`${names.all[m]} ${shown(last.y)}`];
  });
  const lost = kept.filter(({ diverged }) => diverged);
  return {
    spec: { height: 300, layer, datasets: { means, lines, crosses } },
    methods,
    zoom: true,
    alt: `Lines of ${y} by ${x}. At the end: ${ends.join(', ') || 'no finite values'}.`,
    note: [
      ...(several ? ['Thick: mean over seeds; band: lowest to highest; thin: each run.'] : []),
      ...(lost.length > 0 ? [`✕ diverged: ${unique(lost.map(({ run }) => run)).join(', ')}.`] : []),
    ].join(' '),
    runs: unique(series.map(({ run }) => run)),
    data: {
      columns: [
        { name: 'method' },
        { name: x, numeric: true },
        { name: several ? `${y}, mean` : y, numeric: true },
        ...(several ? ['lowest', 'highest', 'seeds'].map((name) => ({ name, numeric: true })) : []),
      ],
      rows: methods.flatMap((m, i) =>
        thinned(summaries[i], 60).map((each) => [
          names.all[m],
          each.x,
          each.y,
          ...(several ? [each.low, each.high, each.seeds] : []),
        ]),
      ),
    },
  };
}

/** Over seeds at every x that one of them has, read off between its points; past its last point a run has no part. */
function summarise(group: readonly Pick<CurveSeries, 'points'>[]): Summary[] {
  const held = group.filter(({ points }) => points.length > 0);
  const all = unique(held.flatMap(({ points }) => points.map(([x]) => x))).sort((a, b) => a - b);
  const most = Math.max(0, ...held.map(({ points }) => points.length));
  // Seeds that took other times have other x: as many points as each of them has are enough.
  return thinned(all, Math.min(all.length, most)).flatMap((x) => {
    const values = held.flatMap(({ points }) => valueAt(points, x) ?? []);
    if (values.length === 0) return [];
    const low = Math.min(...values);
    const high = Math.max(...values);
    return [{ x, y: Math.min(Math.max(mean(values), low), high), low, high, seeds: values.length }];
  });
}

function valueAt(points: CurveSeries['points'], x: number): number | undefined {
  const next = points.findIndex(([at]) => at >= x);
  if (next === -1) return undefined;
  const [right, above] = points[next];
  if (right === x) return above;
  if (next === 0) return undefined;
  const [left, below] = points[next - 1];
  return below + ((x - left) / (right - left)) * (above - below);
}
