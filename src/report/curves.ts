import { mean } from '../statistics.ts';
import { rounded, shown, unique } from './numbers.ts';
import { looks, type Names, type Plot, SHOWN, ZOOM } from './plot.ts';
import { referenceLayers } from './references.ts';
import type { CurveSeries, Curves } from './report.ts';

/** Points that a figure may have, so that pages stay small. */
const MOST_POINTS = 6000;
const MOST_A_SERIES = 400;
/** Runs that have thin lines of their own; more of them are a blur. */
const MOST_LINES = 100;
/** Up to here every point of a mean gets its shape, above only so many. */
const MARKED = 24;

/** Of ticks near 1: 0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.93, … */
const GAPS = [0, 1, 2, 3, 4, 5].flatMap((power) =>
  [10, 7, 5, 3, 2].map((digit) => rounded(digit * 10 ** (-1 - power))),
);

interface Summary {
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
  readonly seeds: number;
}

export function curves(section: Curves, names: Names): Plot {
  const { x, y, logX, logY, nearOne, target, references = [], series } = section;
  const drawable = ([a, b]: readonly [number, number]): boolean =>
    Number.isFinite(a) && Number.isFinite(b) && !(logX && a <= 0) && !(logY && b <= 0);
  const most = Math.max(8, Math.min(MOST_A_SERIES, Math.floor(MOST_POINTS / series.length)));
  // The same points of all, so that what belongs together stays.
  const step = Math.ceil(Math.max(1, ...series.map(({ points }) => points.length)) / most);
  const kept = series.map((each) => {
    const end = each.points.findIndex(([, value]) => !Number.isFinite(value));
    const whole = end === -1 ? each.points : each.points.slice(0, end);
    const last = whole.length - 1;
    return {
      ...each,
      m: names.number(each.method),
      points: whole.filter((point, k) => drawable(point) && (k % step === 0 || k === last)),
      diverged: end !== -1,
    };
  });
  const methods = unique(kept.map(({ m }) => m)).sort((a, b) => a - b);
  const groups = methods.map((m) => kept.filter((each) => each.m === m));
  const summaries = groups.map(summarise);
  const several = groups.some((group) => group.length > 1);

  const gaps = kept.flatMap(({ points }) => points.map(([, b]) => 1 - b)).filter((gap) => gap > 0);
  // What is 1 has no place on the axis but beyond all others.
  const least = gaps.length === 0 ? 1 : Math.min(...gaps) / 2;
  const place = (value: number) => rounded(nearOne ? Math.max(1 - value, least) : value);

  const means = methods.flatMap((m, i) => {
    const every = Math.ceil(summaries[i].length / MARKED);
    return summaries[i].map((each, k) => ({
      m,
      name: names.all[m],
      x: rounded(each.x),
      y: place(each.y),
      low: place(each.low),
      high: place(each.high),
      value: rounded(each.y),
      seeds: each.seeds,
      marked: k % every === 0,
      text: each.seeds > 1 ? `${shown(each.low)} … ${shown(each.high)}` : '',
    }));
  });
  const lined = several && kept.length <= MOST_LINES;
  const lines = lined
    ? kept.flatMap(({ m, points }, line) =>
        points.map(([a, b]) => ({ m, line, x: rounded(a), y: place(b) })),
      )
    : [];
  const crosses = kept.flatMap(({ m, run, points, diverged }) => {
    const last = points.at(-1);
    return diverged && last !== undefined ? [{ m, run, x: last[0], y: place(last[1]) }] : [];
  });

  const axis = { tickCount: 6, format: ',.6~g' };
  const whole = means.every((each) => Number.isInteger(each.x));
  const at = {
    x: {
      field: 'x',
      type: 'quantitative',
      title: x,
      scale: { type: logX ? 'log' : 'linear', zero: false, nice: false, padding: 8 },
      axis: { ...axis, ...(whole && { tickMinStep: 1 }) },
    },
    y: {
      field: 'y',
      type: 'quantitative',
      title: y,
      scale: {
        type: logY || nearOne ? 'log' : 'linear',
        reverse: nearOne ?? false,
        zero: false,
        nice: false,
        padding: 14,
      },
      axis: nearOne
        ? { ...axis, values: GAPS, labelExpr: "format(1 - datum.value, ',.6~g')" }
        : axis,
    },
  };
  const { color, strokeDash, shape } = looks(methods);
  const layer: object[] = [
    {
      data: { name: 'means' },
      transform: [SHOWN],
      mark: { type: 'area', opacity: several ? 0.14 : 0, clip: true },
      encoding: { ...at, y: { ...at.y, field: 'low' }, y2: { field: 'high' }, color },
    },
    ...(lined
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
      params: [ZOOM],
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
      mark: { type: 'text', text: '×', fontSize: 22, clip: true },
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
          { field: 'value', title: y, format: '.5~g' },
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
  layer.push(
    ...referenceLayers(
      references.map(({ name, points }) => ({
        name,
        points: points.filter(drawable).map(([a, b]) => [a, place(b)]),
      })),
      at,
    ),
  );
  const aim = target === undefined ? undefined : `Dotted line: target ${shown(target)}`;
  if (target !== undefined) {
    layer.push({
      data: { values: [{ y: place(target) }] },
      mark: {
        type: 'rule',
        color: 'var(--muted)',
        strokeDash: [2, 3],
        strokeWidth: 1.3,
        clip: true,
      },
      encoding: { y: at.y },
    });
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
    subtitle: aim,
    note: [
      ...(aim === undefined ? [] : [`${aim}.`]),
      ...(several
        ? [`Thick: mean over seeds; band: lowest to highest${lined ? '; thin: each run' : ''}.`]
        : []),
      ...(lost.length > 0 ? [`× diverged: ${unique(lost.map(({ run }) => run)).join(', ')}.`] : []),
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
        summaries[i].map((each) => [
          names.all[m],
          each.x,
          each.y,
          ...(several ? [each.low, each.high, each.seeds] : []),
        ]),
      ),
    },
  };
}

/**
 * Over seeds, where they have a point at the same x. Seeds that took other times to the same place have none: then their
 * k-th points belong together, at the mean of their x.
 */
function summarise(group: readonly Pick<CurveSeries, 'points'>[]): Summary[] {
  const longest = group.reduce((a, b) => (b.points.length > a.points.length ? b : a)).points;
  const aligned = group.every(({ points }) => points.every(([x], k) => x === longest[k][0]));
  const common = new Set(longest.map(([x]) => x));
  const sameAxis = aligned || group.every(({ points }) => points.every(([x]) => common.has(x)));
  return longest.map(([at], k) => {
    const held = group.flatMap(({ points }) => {
      const point = sameAxis && !aligned ? points.find(([x]) => x === at) : points[k];
      return point === undefined ? [] : [point];
    });
    const values = held.map(([, value]) => value);
    const low = Math.min(...values);
    const high = Math.max(...values);
    // A mean may lie beyond equal values by rounding.
    const y = Math.min(Math.max(mean(values), low), high);
    return { x: mean(held.map(([x]) => x)), y, low, high, seeds: held.length };
  });
}
