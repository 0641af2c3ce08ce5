/** Colours as colour-blind eyes see them: Machado, Oliveira & Fernandes 2009, severity 1, in linear RGB; distances in OKLab. */
import { describe, expect, it } from 'vitest';
import { colours, look, MODES } from '../../src/report/theme.ts';

type Vector = readonly number[];
const SEEN: Readonly<Record<string, readonly Vector[]>> = {
  'by all cones': [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  'without L (protanopia)': [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  'without M (deuteranopia)': [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  'without S (tritanopia)': [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const times = (matrix: readonly Vector[], v: Vector) =>
  matrix.map((row) => row.reduce((sum, x, i) => sum + x * v[i], 0));

const linear = (hex: string): Vector =>
  [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });

/** Ottosson 2020. */
function oklab(rgb: Vector): Vector {
  const lms = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb,
  );
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    lms.map(Math.cbrt),
  );
}

const luminance = (hex: string) => times([[0.2126, 0.7152, 0.0722]], linear(hex))[0];
const contrast = (a: string, b: string) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};

describe.each(MODES)('the %s colours', (mode) => {
  const all = colours(mode);
  const series = Object.keys(all)
    .filter((name) => name.startsWith('series-'))
    .map((name) => all[name]);

  it.each(Object.keys(SEEN))('of methods differ, seen %s', (eyes) => {
    const seen = series.map((hex) => oklab(times(SEEN[eyes], linear(hex))));
    const pairs = seen.flatMap((a, i) =>
      seen.slice(i + 1).map((b, k) => ({
        distance: Math.hypot(...a.map((x, at) => x - b[at])),
        pair: [series[i], series[i + 1 + k]],
      })),
    );
    pairs.sort((a, b) => a.distance - b.distance);
    // 0.02 is about what an eye tells apart side by side.
    expect(pairs[0].distance, pairs[0].pair.join(' ')).toBeGreaterThan(0.07);
  });

  it('stand out from the page: 4.5 for text, 3 for lines (WCAG 2.2)', () => {
    for (const name of ['ink', 'muted', 'accent']) {
      expect(contrast(all[name], all.page), name).toBeGreaterThan(4.5);
      expect(contrast(all[name], all.card), name).toBeGreaterThan(4.5);
    }
    for (const hex of series) expect(contrast(hex, all.page), hex).toBeGreaterThan(3);
  });
});

describe('look', () => {
  it('gives 64 methods a look each', () => {
    const looks = Array.from({ length: 64 }, (_, i) => JSON.stringify(look(i)));
    expect(new Set(looks).size).toBe(64);
  });
});
