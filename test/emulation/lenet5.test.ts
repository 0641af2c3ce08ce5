/**
 * LeNet-5 by every method on the emulated CUDA device: losses and parameters of the first steps are the CPU's.
 */
import { describe, expect, it } from 'vitest';
import { METHODS, train } from '../device/lenet5.ts';
import { provideEmulation } from './build.ts';

const STEPS = 4;
const SIZE = { batch: 4, steps: STEPS };

const { missing } = await provideEmulation();
describe.skipIf(missing !== null)(
  `LeNet-5${missing === null ? '' : `, skipped: ${missing}`}`,
  () => {
    it.each(METHODS)('$name', { timeout: 240_000 }, async ({ make, precision, tolerance }) => {
      const there = await train(make(), 'cuda-emulated', { ...SIZE, precision });
      const here = await train(make(), 'auto', SIZE);
      expect(there.losses).toHaveLength(STEPS);
      there.losses.forEach((loss, i) => {
        expect(Math.abs(loss / here.losses[i] - 1)).toBeLessThan(tolerance);
      });
      const apart = there.parameters.map((p, i) => Math.abs(p - here.parameters[i]));
      expect(Math.max(...apart)).toBeLessThan(tolerance);
    });
  },
);
