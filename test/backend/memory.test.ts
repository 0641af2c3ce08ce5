/** Sizes that no memory has are an error that says how much was asked for, on every device. */
import { describe, expect, it } from 'vitest';
import { newNumbers } from '../../src/backend/backend.ts';
import { type DeviceName, openStore } from '../../src/backend/device.ts';
import { loadAddon } from '../../src/backend/native/addon.ts';
import { FlatminError, flatten, linear, sequential, sgd, trainStep } from '../../src/index.ts';

const devices: DeviceName[] = loadAddon().reason === null ? ['js', 'cpu'] : ['js'];

function refusal(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof FlatminError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'none';
}

describe.each(devices)('memory on %s', (device) => {
  it('overflows with an error, whatever its sizes multiply to', () => {
    for (const input of [[2 ** 32, 2 ** 32], [2 ** 53 - 1], [2 ** 40, 3, 5], [2 ** 26, 2 ** 27]]) {
      const model = () =>
        trainStep(sequential(flatten(), linear(10)), {
          optimizer: sgd({ lr: 0.1 }),
          input,
          batch: 4,
          device,
        });
      expect(refusal(model), String(input)).toMatch(
        /^FLATMIN_MEMORY: (Layer ".+": )?Out of memory: [\d.e+]+ [A-Z]+ were asked for, for .+ Help: /,
      );
    }
  });

  it('names the size of a buffer', () => {
    const declare = (...shape: number[]) =>
      refusal(() => openStore({ device }).declare('x', { dtype: 'f32', shape }));
    expect(declare(2 ** 32, 2 ** 32)).toBe(
      'FLATMIN_MEMORY: Out of memory: 73.8 EB were asked for, for f32[4294967296, 4294967296]. Help: use a smaller batch, model or dataset.',
    );
    expect(declare(2 ** 43)).toMatch(/^FLATMIN_MEMORY: Out of memory: 35.2 TB were asked for/);
  });
});

it('arrays of JavaScript that do not fit are the same error', () => {
  expect(refusal(() => newNumbers('f32', 2 ** 44))).toBe(
    'FLATMIN_MEMORY: Out of memory: 70.4 TB were asked for, for 17592186044416 elements. Help: use a smaller batch, model or dataset.',
  );
});
