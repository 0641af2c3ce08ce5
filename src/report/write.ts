import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, replaceFile, writing } from '../files.ts';
import { draw, isFigure } from './draw.ts';
import { type Part, page } from './page.ts';
import { picture } from './picture.ts';
import { Names } from './plot.ts';
import { toPng } from './png.ts';
import type { Report } from './report.ts';
import { csv } from './table.ts';
import { inMode, MODES } from './theme.ts';

export interface WrittenReport {
  /** The page. */
  readonly page: string;
  readonly pictures: readonly string[];
  /** Why there are no PNG files, where there are none. */
  readonly noPng?: string;
}

/**
 * Writes `report.html`, which has everything in it, and beside it every plot as SVG and PNG, light and dark, in `plots`, which
 * `pictures: false` leaves out, and every table and every plot's data as CSV in `tables`. Files of the same names are replaced.
 */
export async function writeReport(
  report: Report,
  folder: string,
  { pictures: drawn = true }: { readonly pictures?: boolean } = {},
): Promise<WrittenReport> {
  const names = new Names();
  const parts = partsOf(report, names);
  const path = join(folder, 'report.html');
  const pictures: string[] = [];
  let noPng: string | undefined;
  const put = (file: string, content: string | Uint8Array) => write(join(folder, file), content);
  writing(folder, () => {
    for (const name of ['', ...(drawn ? ['plots'] : []), 'tables']) makeFolder(join(folder, name));
  });
  put('report.html', page(report, parts, names));
  for (const { section, id, plot } of parts) {
    const data = section.kind === 'table' ? section : plot?.data;
    if (data !== undefined) put(`tables/${id}.csv`, csv(data.columns, data.rows));
    if (plot === undefined || !drawn) continue;
    const variable = await picture(plot, names, section.heading);
    for (const mode of MODES) {
      const name = join('plots', mode === 'light' ? id : `${id}-${mode}`);
      const svg = inMode(variable, mode);
      put(`${name}.svg`, svg);
      pictures.push(join(folder, `${name}.svg`));
      const png = toPng(svg);
      if (typeof png === 'string') noPng = png;
      else {
        put(`${name}.png`, png);
        pictures.push(join(folder, `${name}.png`));
      }
    }
  }
  return { page: path, pictures, noPng };
}

/** Every section under a name for links and files, made of its heading. */
function partsOf({ sections }: Report, names: Names): Part[] {
  const taken = new Set<string>();
  return sections.map((section) => {
    const plain = (section.heading ?? section.kind)
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 60);
    let id = plain || section.kind;
    for (let n = 2; taken.has(id); n++) id = `${plain || section.kind}-${n}`;
    taken.add(id);
    return { section, id, plot: isFigure(section) ? draw(section, names) : undefined };
  });
}

const write = (path: string, content: string | Uint8Array): void =>
  writing(path, () => replaceFile(path, (file) => writeFileSync(file, content)));
