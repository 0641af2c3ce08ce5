import { show } from '../../arguments.ts';
import { FlatminError } from '../../errors.ts';
import { shown } from '../../shown.ts';
import type { Layer } from '../layer.ts';

/** With what error messages, summaries and `console.log` call it. */
export const named = (label: string, layer: Layer): Layer =>
  shown(Object.assign(layer, { label }), () => label);

export function expectCount(layer: string, name: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 1) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${layer} expects ${name} to be a whole number of at least 1, got ${show(value)}`,
    );
  }
}

export function expectNumber(
  layer: string,
  name: string,
  value: number,
  range: string,
  fits: boolean,
): void {
  if (Number.isFinite(value) && fits) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `${layer} expects ${name} to be a finite number ${range}, got ${show(value)}`,
  );
}
