/**
 * LeNet-5 by every method on the emulated CUDA device: losses and parameters of the first steps are the CPU's. A
 * method is refused as long as an op of its step stands in `WITHOUT_CUDA`, and has to train as soon as none does.
 */
import { describe, expect, it } from 'vitest';
import { WITHOUT_CUDA } from '../conformance/collect.ts';
import { METHODS, opWithout, train } from '../device/lenet5.ts';
import { provideEmulation } from './build.ts';

const STEPS = 4;
const SIZE = { batch: 4, steps: STEPS };

const { missing } = await provideEmulation();
describe.skipIf(missing !== null)(
  `LeNet-5${missing === null ? '' : `, skipped: ${missing}`}`,
  () => {
    it.each(METHODS)('$name', { timeout: 240_000 }, async ({ make, precision, tolerance }) => {
      const there = await train(make(), 'cuda-emulated', { ...SIZE, precision }).catch(
        (error: unknown) => {
          const op = opWithout(error);
          if (op === undefined) throw error;
          return op;
        },
      );
      if (typeof there === 'string') return expect(WITHOUT_CUDA).toContain(there);
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
