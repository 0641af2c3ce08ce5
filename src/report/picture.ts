import { draw } from './draw.ts';
import { Names, type Plot } from './plot.ts';
import type { FigureSection } from './report.ts';
import { inBothModes } from './theme.ts';
import { compile, toSvg } from './vega.ts';

/** Of pictures, in pixels; PNG files have twice as many. */
export const WIDTH = 760;

/** A picture with its colours still to be chosen. */
export const picture = (
  plot: Plot,
  names: Names,
  title: string | undefined,
  width: number = WIDTH,
): Promise<string> =>
  toSvg(
    compile(plot.spec, { names: names.all, width, legend: true, title, subtitle: plot.subtitle }),
  );

/** One figure as SVG, light or dark as its reader's system is. */
export async function figurePicture(section: FigureSection, width?: number): Promise<string> {
  const names = new Names();
  return inBothModes(await picture(draw(section, names), names, section.heading, width));
}
