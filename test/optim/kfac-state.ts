/** The factors that K-FAC keeps, and how they are compared. */
import { expect } from 'vitest';
import { stateKey } from '../../src/step/trace.ts';
import type { Training } from '../../src/train/training.ts';
import { unpacked } from '../conformance/data.ts';
import type { Rows } from './oracles/matrix.ts';

/** A and G of a layer. */
export function factorsIn({ store }: Training, layer: string): { a: Rows; g: Rows } {
  const read = (kind: 'a' | 'g'): Rows => {
    const key = stateKey(`${kind}/${layer}.weight`);
    const whole = Array.from(unpacked(store.read(key)));
    const n = Math.sqrt(whole.length);
    return Array.from({ length: n }, (_, r) => whole.slice(r * n, (r + 1) * n));
  };
  return { a: read('a'), g: read('g') };
}

/** Every element, relative to the largest. */
export function expectClose(got: Rows, want: Rows, tolerance: number, what = ''): void {
  const largest = Math.max(...want.flat().map(Math.abs));
  got.forEach((row, i) => {
    row.forEach((x, j) => {
      const error = Math.abs(x - want[i][j]) / largest;
      expect(error, `${what}[${i}, ${j}]: ${x}, not ${want[i][j]}`).toBeLessThanOrEqual(tolerance);
    });
  });
}
