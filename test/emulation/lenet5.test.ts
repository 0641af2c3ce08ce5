/**
 * LeNet-5 by every method on the emulated CUDA device: losses and parameters of the first steps are the CPU's. A
 * method is refused as long as an op of its step stands in `WITHOUT_CUDA`, and has to train as soon as none does.
 */
import { describe, expect, it } from 'vitest';
import {
  type DeviceName,
  fit,
  kfac,
  lenet5,
  lion,
  type Optimizer,
  sam,
  sgd,
  shampoo,
  syntheticDigits,
} from '../../src/index.ts';
import { WITHOUT_CUDA } from '../conformance/collect.ts';
import { provideEmulation } from './build.ts';

const { missing } = await provideEmulation();
const BATCH = 4;
const STEPS = 4;
/** Shampoo and K-FAC compute roots and inverses every other step, so that two graphs are recorded and replayed. */
const METHODS: readonly { name: string; make: () => Optimizer; tolerance: number }[] = [
  { name: 'sgd', make: () => sgd({ lr: 0.1 }), tolerance: 1e-5 },
  { name: 'sam', make: () => sam(sgd({ lr: 0.03 }), { rho: 0.05 }), tolerance: 1e-5 },
  { name: 'lion', make: () => lion({ lr: ({ step }) => 1e-4 / step }), tolerance: 1e-5 },
  // Inverses and roots come by other algorithms, in float32, than the CPU's.
  { name: 'kfac', make: () => kfac({ lr: 0.01, inversesEvery: 2 }), tolerance: 1e-3 },
  { name: 'shampoo', make: () => shampoo({ lr: 0.1, rootsEvery: 2 }), tolerance: 1e-3 },
];
const train = syntheticDigits({ count: STEPS * BATCH, size: 32, seed: 0, split: 'train' });

async function run(make: () => Optimizer, device: DeviceName) {
  const losses: number[] = [];
  const { model } = await fit(
    lenet5(),
    { train },
    {
      optimizer: make(),
      batch: BATCH,
      epochs: 1,
      device,
      onStep: ({ loss }) => losses.push(loss),
    },
  );
  const parameters = Object.values(model.parameters()).flatMap(({ data }) => [...data]);
  return { losses, parameters };
}

/** The op of a step that has no CUDA kernel, of the error that says so. */
const opWithout = (error: unknown): string | undefined =>
  /^op (\w+) has no kernel on this device$/.exec((error as Error).message)?.[1];

describe.skipIf(missing !== null)(
  `LeNet-5${missing === null ? '' : `, skipped: ${missing}`}`,
  () => {
    it.each(METHODS)('$name', { timeout: 240_000 }, async ({ make, tolerance }) => {
      const there = await run(make, 'cuda-emulated').catch((error: unknown) => {
        const op = opWithout(error);
        if (op === undefined) throw error;
        return op;
      });
      if (typeof there === 'string') return expect(WITHOUT_CUDA).toContain(there);
      const here = await run(make, 'auto');
      expect(there.losses).toHaveLength(STEPS);
      there.losses.forEach((loss, i) => {
        expect(Math.abs(loss / here.losses[i] - 1)).toBeLessThan(tolerance);
      });
      const apart = there.parameters.map((p, i) => Math.abs(p - here.parameters[i]));
      expect(Math.max(...apart)).toBeLessThan(tolerance);
    });
  },
);
