import { show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Windows } from '../linalg/unfold.ts';
import { shapeError } from './define.ts';

/** A number for both directions, or [vertical, horizontal]. */
export type Pair = number | readonly [number, number];

export function pair(op: string, name: string, value: Pair, least: number): [number, number] {
  const both = (Array.isArray(value) ? value : [value, value]) as readonly number[];
  if (both.length !== 2 || both.some((v) => !Number.isInteger(v) || v < least)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${op} expects ${name} to be a whole number from ${least} on, or two of them [vertical, horizontal], got ${show(value)}`,
    );
  }
  return [both[0], both[1]];
}

interface Sliding {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
}

/** The windows on images [channels, height, width]; throws where not even one fits. */
export function windowsOf(
  op: string,
  [channels, height, width]: readonly number[],
  { kernel: [kh, kw], stride: [down, across], padding: [top, left] }: Sliding,
): Windows {
  const [ph, pw] = [height + 2 * top, width + 2 * left];
  if (kh < 1 || kw < 1) throw shapeError(`${op} expects a kernel of at least 1×1, got ${kh}×${kw}`);
  if (kh > ph || kw > pw) {
    const padded = top + left > 0 ? `, ${ph}×${pw} with its padding` : '';
    throw shapeError(
      `${op} with a kernel of ${kh}×${kw} does not fit an image of ${height}×${width}${padded}`,
    );
  }
  return {
    channels,
    height,
    width,
    kernel: [kh, kw],
    stride: [down, across],
    padding: [top, left],
    outHeight: Math.floor((ph - kh) / down) + 1,
    outWidth: Math.floor((pw - kw) / across) + 1,
  };
}
