import { mean } from '../statistics.ts';
import { quantile, rounded, shown, thinned, unique } from './numbers.ts';
import { looks, type Names, type Plot, SHOWN } from './plot.ts';
import type { Boxes } from './report.ts';

/** Runs that are drawn, so that pages stay small; boxes are of all. */
const MOST_POINTS = 1000;

export function boxes(section: Boxes, names: Names): Plot {
  const { x, values } = section;
  const held = values
    .filter(({ value }) => Number.isFinite(value))
    .map((each) => ({ ...each, m: names.number(each.method), group: each.group ?? '' }));
  const lost = values.filter(({ value }) => !Number.isFinite(value)).map(({ run }) => run);
  const methods = unique(held.map(({ m }) => m)).sort((a, b) => a - b);
  const groups = unique(held.map(({ group }) => group));
  const grouped = groups.length > 1;
  const rows = groups.flatMap((group) =>
    methods
      .map((m) => ({ m, group, own: held.filter((each) => each.m === m && each.group === group) }))
      .filter(({ own }) => own.length > 0),
  );
  const drawn = rows.map(({ m, group, own }, i) => {
    const ordered = own.map(({ value }) => value).sort((a, b) => a - b);
    const [least, lower, middle, upper, most] = [0, 0.25, 0.5, 0.75, 1].map((share) =>
      rounded(quantile(ordered, share)),
    );
    return {
      m,
      i,
      name: names.all[m],
      group,
      least,
      lower,
      middle,
      upper,
      most,
      mean: mean(ordered),
      count: own.length,
    };
  });
  const most = Math.max(5, Math.floor(MOST_POINTS / rows.length));
  const points = rows.flatMap(({ m, own }, i) =>
    thinned(own, most).map(({ run, value }) => ({
      m,
      i,
      name: names.all[m],
      run,
      value: rounded(value),
    })),
  );
  const { color, shape } = looks(methods);
  const bare = { ...color, legend: null };
  const y = {
    field: 'i',
    type: 'ordinal',
    title: null,
    axis: {
      labelExpr: 'rows[datum.value]',
      grid: false,
      labelColor: 'var(--ink)',
      labelLimit: 150,
    },
  };
  const at = (field: string) => ({
    field,
    type: 'quantitative',
    title: x,
    scale: { zero: false, padding: 14 },
    axis: { format: ',.6~g', tickCount: 5 },
  });
  const tooltip = [
    { field: 'name', title: ' ' },
    ...(grouped ? [{ field: 'group', title: 'of' }] : []),
    { field: 'middle', title: 'median', format: '.5~g' },
    { field: 'mean', title: 'mean', format: '.5~g' },
    { field: 'least', title: 'lowest', format: '.5~g' },
    { field: 'most', title: 'highest', format: '.5~g' },
    { field: 'count', title: 'runs' },
  ];
  return {
    spec: {
      height: { step: 34 },
      params: [
        {
          name: 'rows',
          value: drawn.map(({ name, group }) => (grouped ? `${group} · ${name}` : name)),
        },
      ],
      datasets: { drawn, points },
      data: { name: 'drawn' },
      layer: [
        {
          transform: [SHOWN],
          mark: { type: 'rule', strokeWidth: 1.5 },
          encoding: { y, x: at('least'), x2: { field: 'most' }, color: bare },
        },
        {
          transform: [SHOWN],
          mark: { type: 'bar', height: { band: 0.58 }, opacity: 0.35, cornerRadius: 2 },
          encoding: { y, x: at('lower'), x2: { field: 'upper' }, color: bare, tooltip },
        },
        {
          transform: [SHOWN],
          mark: { type: 'tick', thickness: 2.5, size: 20 },
          encoding: { y, x: at('middle'), color: bare, tooltip },
        },
        {
          data: { name: 'points' },
          transform: [SHOWN],
          mark: {
            type: 'point',
            filled: true,
            size: 42,
            opacity: 0.9,
            stroke: 'var(--page)',
            strokeWidth: 0.8,
          },
          encoding: {
            y,
            x: at('value'),
            color: bare,
            shape: { ...shape, legend: null },
            tooltip: [
              { field: 'name', title: ' ' },
              { field: 'run', title: 'run' },
              { field: 'value', title: x, format: '.5~g' },
            ],
          },
        },
      ],
    },
    methods,
    alt: `Boxes of ${x}, medians: ${drawn.map(({ name, group, middle }) => `${grouped ? `${group}, ` : ''}${name} ${shown(middle)}`).join('; ')}.`,
    note: `Box: quartiles; line: median; points: runs.${lost.length > 0 ? ` Diverged: ${lost.join(', ')}.` : ''}`,
    runs: unique(values.map(({ run }) => run)),
    data: {
      columns: [
        ...(grouped ? [{ name: 'of' }] : []),
        { name: 'method' },
        { name: 'run' },
        { name: x, numeric: true },
      ],
      rows: values.map(({ method, run, value, group }) => [
        ...(grouped ? [group ?? ''] : []),
        method,
        run,
        value,
      ]),
    },
  };
}
