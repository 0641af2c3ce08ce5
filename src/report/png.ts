import { createRequire } from 'node:module';
import { vendored } from './vega.ts';

interface Resvg {
  new (svg: string, options: object): { render(): { asPng(): Uint8Array } };
}

const SCALE = 2;
const PACKAGE = '@resvg/resvg-js';

/** A picture as PNG with the font that comes along; where the optional package is missing, what to do about it. */
export function toPng(svg: string): Uint8Array | string {
  let Renderer: Resvg;
  try {
    Renderer = createRequire(import.meta.url)(PACKAGE).Resvg;
  } catch {
    return `PNG files need the optional package ${PACKAGE}; help: npm install ${PACKAGE}`;
  }
  return new Renderer(svg, {
    fitTo: { mode: 'zoom', value: SCALE },
    font: {
      loadSystemFonts: false,
      fontFiles: [vendored('vendor/Inter_400Regular.ttf')],
      defaultFontFamily: 'Inter',
    },
  })
    .render()
    .asPng();
}
