/** `precision` on the CPU: LeNet-5's losses stay near those of float32, and come again to the bit. */
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../src/backend/native/addon.ts';
import { METHODS, train } from '../device/lenet5.ts';

const SIZE = { batch: 20, steps: 6 };
const { reason } = loadAddon();

describe.skipIf(reason !== null)(
  `LeNet-5 on the CPU${reason === null ? '' : `, skipped: ${reason}`}`,
  () => {
    it.each(METHODS.filter(({ precision }) => precision !== undefined))(
      '$name',
      async ({ make, precision, tolerance }) => {
        const exact = await train(make(), 'cpu', SIZE);
        const rounded = await train(make(), 'cpu', { ...SIZE, precision });
        expect(rounded.losses).toHaveLength(SIZE.steps);
        expect(rounded.losses).not.toEqual(exact.losses);
        rounded.losses.forEach((loss, i) => {
          expect(Math.abs(loss / exact.losses[i] - 1)).toBeLessThan(tolerance);
        });
        const again = await train(make(), 'cpu', { ...SIZE, precision });
        expect(again).toEqual({ ...rounded, seconds: expect.any(Number) });
      },
    );
  },
);
