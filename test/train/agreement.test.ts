/**
 * LeNet-5 on procedural digits: every backend and every number of threads trains the same network.
 * In float32 a rounding error may turn a max-pool's near tie or a ReLU's kink the other way; on about one start in ten
 * such a turn parts the curves of two backends, or of two instruction sets, by 1e-4 to 1e-2 within these steps. From
 * this seed none does, on any instruction set, and curves agree to a few 1e-7.
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
import { devices } from '../optim/devices.ts';
import { bytesOf } from '../optim/tensors.ts';

const BATCH = 100;
const STEPS = 50;
const SEED = 2;
const METHODS: readonly { name: string; make: () => Optimizer; compared: number }[] = [
  { name: 'sgd', make: () => sgd({ lr: 0.1 }), compared: STEPS },
  { name: 'lion', make: () => lion({ lr: 1e-4 }), compared: STEPS },
  { name: 'sam', make: () => sam(sgd({ lr: 0.03 }), { rho: 0.05 }), compared: STEPS },
  { name: 'kfac', make: () => kfac({ lr: 0.01, weightDecay: 3e-4 }), compared: 10 },
  { name: 'shampoo', make: () => shampoo({ lr: 0.1, weightDecay: 1e-4 }), compared: 10 },
];

const all = syntheticDigits({ count: STEPS * BATCH, size: 32, seed: 0, split: 'train' });

/** Losses and final parameters of so many steps on batches of their own, the same first ones for every count. */
async function train(make: () => Optimizer, steps: number, device: DeviceName, threads?: number) {
  const train = {
    ...all,
    count: steps * BATCH,
    inputs: { ...all.inputs, data: all.inputs.data.subarray(0, steps * BATCH * 32 * 32) },
    labels: all.labels.subarray(0, steps * BATCH),
  };
  const losses: number[] = [];
  const { model } = await fit(
    lenet5(),
    { train },
    {
      optimizer: make(),
      batch: BATCH,
      epochs: 1,
      seed: SEED,
      device,
      threads,
      onStep: ({ loss }) => losses.push(loss),
    },
  );
  return { losses, bytes: bytesOf(model.parameters()) };
}

const { missing } = devices[1];

describe.skipIf(missing !== null)(
  missing === null ? 'LeNet-5 on the CPU' : `LeNet-5 on the CPU, skipped: ${missing}`,
  () => {
    describe.each(METHODS)('$name', ({ make, compared }) => {
      it(`has the losses of the TypeScript backend over ${compared} steps`, async () => {
        const js = await train(make, compared, 'js');
        const cpu = await train(make, compared, 'cpu');
        expect(cpu.losses).toHaveLength(compared);
        const errors = cpu.losses.map((loss, i) => Math.abs(loss - js.losses[i]) / js.losses[i]);
        expect(Math.max(...errors)).toBeLessThan(1e-4);
        expect(cpu.losses[compared - 1]).toBeLessThan(cpu.losses[0]);
      });

      it('is the same to the bit twice, and with 1, 2 and 4 threads', async () => {
        const first = await train(make, STEPS, 'cpu', 1);
        for (const threads of [1, 2, 4]) {
          const other = await train(make, STEPS, 'cpu', threads);
          expect(other.losses, `${threads} threads`).toEqual(first.losses);
          expect(other.bytes === first.bytes, `${threads} threads`).toBe(true);
        }
      });
    });
  },
);
