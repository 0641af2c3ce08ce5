import { bars } from './bars.ts';
import { boxes } from './boxes.ts';
import { curves } from './curves.ts';
import { heatmap } from './heatmap.ts';
import { histogram } from './histogram.ts';
import { landscape } from './landscape.ts';
import type { Names, Plot } from './plot.ts';
import { profile } from './profile.ts';
import type { FigureSection, Section } from './report.ts';
import { scatter } from './scatter.ts';
import { sensitivity } from './sensitivity.ts';

/** One drawer a kind of figure. */
const DRAWERS: { readonly [K in FigureSection['kind']]: (section: never, names: Names) => Plot } = {
  curves,
  scatter,
  histogram,
  bars,
  profile,
  sensitivity,
  heatmap,
  boxes,
  landscape,
};

export const isFigure = (section: Section): section is FigureSection =>
  Object.hasOwn(DRAWERS, section.kind);

export const draw = (section: FigureSection, names: Names): Plot =>
  DRAWERS[section.kind](section as never, names);
