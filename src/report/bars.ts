import { rounded, shown, unique } from './numbers.ts';
import { looks, type Names, type Plot, SHOWN } from './plot.ts';
import type { Bars } from './report.ts';

export function bars(section: Bars, names: Names): Plot {
  const { x, values, reference } = section;
  const rows = values.map((each) => ({
    ...each,
    group: each.group ?? '',
    m: names.number(each.method),
  }));
  const methods = unique(rows.map(({ m }) => m)).sort((a, b) => a - b);
  const groups = unique(rows.map(({ group }) => group));
  const finite = rows
    .flatMap(({ value, low, high }) => [value, low, high])
    .filter((end): end is number => typeof end === 'number' && Number.isFinite(end));
  const most = Math.max(0, reference ?? 0, ...finite);
  const least = Math.min(0, ...finite);
  /** Where an interval has no end it goes to the plot's. */
  const edge = (end: number | undefined, at: number) =>
    end === undefined ? undefined : Number.isFinite(end) ? rounded(end) : at;
  const data = rows.map(({ m, method, value, low, high, group }, i) => ({
    m,
    i,
    g: groups.indexOf(group),
    name: method,
    group,
    value: isNumber(value) ? rounded(value) : 0,
    low: edge(low, least),
    high: edge(high, most * 1.05),
    text: isNumber(value) ? shown(value) : '–',
    interval: low === undefined || high === undefined ? '–' : `${shown(low)} … ${shown(high)}`,
    end: Math.max(isNumber(value) ? value : 0, edge(high, most * 1.05) ?? 0),
  }));
  const { color } = looks(methods);
  const grouped = groups.length > 1;
  const y = {
    field: 'i',
    type: 'ordinal',
    title: null,
    axis: {
      labelExpr: `rows[datum.value]`,
      grid: false,
      labelColor: 'var(--ink)',
      labelLimit: 150,
    },
    scale: { padding: 0.22 },
  };
  const at = {
    y,
    x: {
      field: 'value',
      type: 'quantitative',
      title: x,
      axis: { tickCount: 5, format: ',.6~g' },
      scale: { domain: [least, most * 1.12 || 1], nice: false },
    },
  };
  const tooltip = [
    { field: 'name', title: ' ' },
    ...(grouped ? [{ field: 'group', title: 'of' }] : []),
    { field: 'text', title: x },
    { field: 'interval', title: 'interval' },
  ];
  const rule = { type: 'rule', strokeWidth: 1.6, color: 'var(--ink)' };
  return {
    spec: {
      height: { step: 26 },
      params: [
        {
          name: 'rows',
          value: data.map(({ name, group }) => (grouped ? `${group} · ${name}` : name)),
        },
      ],
      data: { name: 'bars' },
      datasets: { bars: data },
      transform: [SHOWN],
      layer: [
        {
          mark: { type: 'bar', cornerRadiusEnd: 3, opacity: 0.85 },
          encoding: { ...at, color: { ...color, legend: null }, tooltip },
        },
        {
          transform: [{ filter: 'isValid(datum.low) && isValid(datum.high)' }],
          mark: rule,
          encoding: { ...at, x: { ...at.x, field: 'low' }, x2: { field: 'high' } },
        },
        {
          mark: { type: 'text', align: 'left', dx: 6, fontSize: 11.5 },
          encoding: { ...at, x: { ...at.x, field: 'end' }, text: { field: 'text' } },
        },
        ...(reference === undefined
          ? []
          : [
              {
                data: { values: [{ value: reference }] },
                mark: { type: 'rule', strokeDash: [4, 3], color: 'var(--muted)' },
                encoding: { x: at.x },
              },
            ]),
      ],
    },
    methods,
    alt: `Bars of ${x}: ${data.map(({ name, group, text }) => `${grouped ? `${group}, ` : ''}${name} ${text}`).join('; ')}.`,
    note: [
      rows.some(({ low }) => low !== undefined) && 'Thin lines: intervals.',
      rows.some(({ value }) => !isNumber(value)) &&
        '–: none, as for a target that was not reached.',
    ]
      .filter(Boolean)
      .join(' '),
    runs: [],
    data: {
      columns: [
        ...(grouped ? [{ name: 'of' }] : []),
        { name: 'method' },
        { name: x, numeric: true },
        { name: 'low', numeric: true },
        { name: 'high', numeric: true },
      ],
      rows: rows.map(({ group, method, value, low, high }) => [
        ...(grouped ? [group] : []),
        method,
        isNumber(value) ? value : null,
        low ?? null,
        high ?? null,
      ]),
    },
  };
}

const isNumber = (value: number | null): value is number =>
  value !== null && Number.isFinite(value);
