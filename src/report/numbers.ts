/** Numbers as people read them: four digits, a minus that is one, exponents where zeros would hide them. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) {
    const text = Number(value.toPrecision(3)).toExponential();
    return text.replaceAll('-', '−').replace('e+', 'e');
  }
  if (Number.isInteger(value)) return value.toLocaleString('en').replace('-', '−');
  const digits = Math.max(0, Math.min(6, 3 - Math.floor(Math.log10(size))));
  return Number(value.toFixed(digits))
    .toLocaleString('en', { maximumFractionDigits: digits })
    .replace('-', '−');
}

/** Six digits, enough for any picture, keep the page small. */
export const rounded = (value: number): number => Number(value.toPrecision(6));

/** By linear interpolation between the ordered values. */
export function quantile(ordered: readonly number[], share: number): number {
  const place = share * (ordered.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, ordered.length - 1);
  return ordered[below] + (place - below) * (ordered[above] - ordered[below]);
}

/** At most so many of them, the first and the last included. */
export function thinned<T>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all;
  const step = (all.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, i) => all[Math.round(i * step)]);
}

export const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];
