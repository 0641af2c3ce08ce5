/**
 * Colours of pages and plots. Plots name them as `var(--name)`, so that a page changes them without drawing anew; pictures
 * get those of one mode.
 */
export const MODES = ['light', 'dark'] as const;
export type Mode = (typeof MODES)[number];

type Colours = Readonly<
  Record<'page' | 'card' | 'ink' | 'muted' | 'line' | 'grid' | 'accent', string>
>;

const PAGE: Readonly<Record<Mode, Colours>> = {
  light: {
    page: '#ffffff',
    card: '#f6f7f9',
    ink: '#191d22',
    muted: '#59636f',
    line: '#d4d9df',
    grid: '#e8ebee',
    accent: '#0b5cc4',
  },
  dark: {
    page: '#12151a',
    card: '#1b2027',
    ink: '#e9ecf0',
    muted: '#9ba6b3',
    line: '#39424d',
    grid: '#272e37',
    accent: '#7db8ff',
  },
};

/** Of methods, in pairs of one hue for light and dark; distinct for colour-blind eyes (test/report/theme.test.ts). */
const SERIES: Readonly<Record<Mode, readonly string[]>> = {
  light: ['#0072b0', '#d76209', '#2da485', '#a9336b', '#2b323d', '#0097fb', '#865c00', '#6855d8'],
  dark: ['#449feb', '#ff7d23', '#00dda0', '#c77a9a', '#e4edf3', '#9bdaff', '#e4be2d', '#8468e8'],
};

const DASHES = [[], [7, 3], [2, 2.5], [9, 3, 2, 3], [4, 2], [12, 3], [2, 2, 6, 2], [1, 3]];
const SHAPES = [
  'circle',
  'square',
  'triangle-up',
  'diamond',
  'cross',
  'triangle-down',
  'triangle-left',
  'triangle-right',
];

/** How the i-th method looks. Colours come again after eight, with other dashes and shapes. */
export const look = (i: number) => {
  const round = Math.floor(i / SERIES.light.length);
  return {
    colour: `var(--series-${i % SERIES.light.length})`,
    dash: DASHES[(i + 3 * round) % DASHES.length],
    shape: SHAPES[(i + 3 * round) % SHAPES.length],
  };
};

export const colours = (mode: Mode): Readonly<Record<string, string>> => ({
  ...PAGE[mode],
  ...Object.fromEntries(SERIES[mode].map((colour, i) => [`series-${i}`, colour])),
});

/** Declarations of a mode's colours. */
export const variables = (mode: Mode): string =>
  Object.entries(colours(mode))
    .map(([name, colour]) => `--${name}:${colour};`)
    .join('');

/** A picture in one mode's colours. */
export function inMode(svg: string, mode: Mode): string {
  const all = colours(mode);
  return svg.replace(/var\(--([\w-]+)\)/g, (whole, name) => all[name] ?? whole);
}

/** A picture in the colours of its reader's system: for pages, since few other programs know variables. */
export function inBothModes(svg: string): string {
  const used = new Set([...svg.matchAll(/var\(--([\w-]+)\)/g)].map(([, name]) => name));
  const of = (mode: Mode) =>
    Object.entries(colours(mode))
      .filter(([name]) => used.has(name))
      .map(([name, colour]) => `--${name}:${colour}`)
      .join(';');
  const style = `<style>:root{${of('light')}}@media(prefers-color-scheme:dark){:root{${of('dark')}}}</style>`;
  return svg.replace(/^<svg[^>]*>/, (open) => open + style);
}

export const FONT = "Inter, system-ui, -apple-system, 'Segoe UI', sans-serif";

/** What plots of all kinds share. */
export const CONFIG = {
  background: null,
  // A plot is one image with a text and a table of its own.
  aria: false,
  font: FONT,
  view: { stroke: null },
  axis: {
    domain: false,
    ticks: false,
    grid: true,
    gridColor: 'var(--grid)',
    labelColor: 'var(--muted)',
    labelFontSize: 12,
    labelPadding: 6,
    titleColor: 'var(--ink)',
    titleFontSize: 12.5,
    titleFontWeight: 'normal',
    titlePadding: 10,
  },
  legend: {
    labelColor: 'var(--ink)',
    labelFontSize: 12.5,
    labelLimit: 260,
    titleColor: 'var(--muted)',
    titleFontSize: 12,
    titleFontWeight: 'normal',
    symbolSize: 160,
    rowPadding: 5,
  },
  text: { color: 'var(--ink)', fontSize: 12 },
  title: {
    color: 'var(--ink)',
    fontSize: 15,
    fontWeight: 'normal',
    subtitleColor: 'var(--muted)',
    subtitleFontSize: 12,
    subtitlePadding: 5,
    anchor: 'start',
    offset: 14,
  },
} as const;
