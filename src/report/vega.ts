import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import { FlatminError } from '../errors.ts';
import { LEGEND, type PlotSpec } from './plot.ts';
import { CONFIG } from './theme.ts';

/**
 * Vega and Vega-Lite as their authors bundle them, two files that `scripts/compile.mjs` puts into dist/vendor: the same
 * file draws here and in the page, and users install no package.
 */
export const vendored = (name: string): string =>
  fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));

export function readVendored(name: string): string {
  const path = vendored(name);
  if (existsSync(path)) return readFileSync(path, 'utf8');
  throw new FlatminError('FLATMIN_IO', `${path} is missing; help: npm install && npm run build`);
}

interface Vega {
  readonly View: new (
    runtime: unknown,
    options: { renderer: 'none'; logLevel?: number },
  ) => { toSVG(): Promise<string>; finalize(): void };
  parse(spec: object): unknown;
  readonly Error: number;
  readonly textMetrics: { width: (item: { fontSize?: number }, text: unknown) => number };
}

interface VegaLite {
  compile(spec: object, options: object): { spec: object };
}

let loaded: { vega: Vega; vegaLite: VegaLite } | undefined;

function libraries() {
  if (loaded !== undefined) return loaded;
  const load = <T>(name: string, needed?: unknown): T => {
    const module = { exports: {} };
    const code = compileFunction(readVendored(name), ['exports', 'module', 'require'], {
      filename: vendored(name),
    });
    code(module.exports, module, () => needed);
    return module.exports as T;
  };
  const vega = load<Vega>('vendor/vega.min.js');
  // Nothing measures texts here, and Vega's guess leaves half of the room empty.
  vega.textMetrics.width = (item, text) => (item.fontSize ?? 11) * widthOf(String(text ?? ''));
  loaded = { vega, vegaLite: load<VegaLite>('vendor/vega-lite.min.js', vega) };
  return loaded;
}

/** In heights of the font, near to Inter's. */
const widthOf = (text: string): number =>
  [...text].reduce((sum, character) => {
    if (/[iIjl.,:;|!'’ ]/.test(character)) return sum + 0.28;
    if (/[ftr()[\]-]/.test(character)) return sum + 0.38;
    if (/[mwMW@%×−]/.test(character)) return sum + 0.86;
    return sum + (/[A-Z0-9]/.test(character) ? 0.65 : 0.59);
  }, 0);

interface Frame {
  readonly names: readonly string[];
  readonly width: number | 'container';
  /** Only pictures have one: a page's is beside the plot. */
  readonly legend: boolean;
  readonly title?: string;
  readonly subtitle?: string;
}

/** A specification of Vega's, which needs no compiler where it is drawn. */
export function compile(spec: PlotSpec, { names, width, legend, title, subtitle }: Frame): object {
  const params = [
    { name: 'names', value: names },
    { name: 'hidden', value: [] },
  ];
  const whole = {
    width,
    ...spec,
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    ...(title !== undefined && { title: { text: title, ...(subtitle && { subtitle }) } }),
    autosize: { type: 'width' in spec ? 'pad' : 'fit-x', contains: 'padding' },
    padding: legend ? 16 : { left: 2, right: 10, top: 6, bottom: 2 },
    params: [...params, ...((spec.params as object[]) ?? [])],
    config: CONFIG,
  };
  const silent = {
    level: () => silent,
    warn: () => silent,
    info: () => silent,
    debug: () => silent,
    error: () => silent,
  };
  const ready = legend ? whole : withoutLegends(whole);
  return libraries().vegaLite.compile(ready, { logger: silent }).spec;
}

/** `LEGEND` wherever it stands. */
const withoutLegends = (spec: object): object =>
  JSON.parse(
    JSON.stringify(spec, (key, value) => (key === 'legend' && value === LEGEND ? null : value)),
  );

/** A picture with the colour of its page behind it, all colours still variables. */
export async function toSvg(compiled: object): Promise<string> {
  const { vega } = libraries();
  const spec = { ...compiled, background: 'var(--page)' };
  const view = new vega.View(vega.parse(spec), { renderer: 'none', logLevel: vega.Error });
  const svg = await view.toSVG();
  view.finalize();
  return svg.replace(NOT_XML, '\ufffd').replace(/ (?:d|transform)="[^"]*"/g, inHundredths);
}

/** Of pixels. */
const inHundredths = (places: string): string =>
  places.replace(/-?\d+\.\d{3,}/g, (place) => String(Math.round(100 * Number(place)) / 100));

/** What may stand in JavaScript's strings and not in XML. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are meant
const NOT_XML = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/gu;
