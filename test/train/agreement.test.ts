/**
 * LeNet-5 on procedural digits: every backend and every number of threads trains the same network.
 *
 * Curves agree to a few 1e-7, unless a rounding error turns a max-pool's near tie or a ReLU's kink the other way: from
 * about one start in ten such a turn parts two backends, or two instruction sets, by 1e-4 to 1e-2 within these steps.
 * So another start is tried where one parts, three at most; a kernel that is wrong parts them all, from step one or two.
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
const SEEDS = [2, 0, 1];
const METHODS: readonly { name: string; make: () => Optimizer; compared: number }[] = [
  { name: 'sgd', make: () => sgd({ lr: 0.1 }), compared: STEPS },
  { name: 'lion', make: () => lion({ lr: 1e-4 }), compared: STEPS },
  { name: 'sam', make: () => sam(sgd({ lr: 0.03 }), { rho: 0.05 }), compared: STEPS },
  { name: 'kfac', make: () => kfac({ lr: 0.01, weightDecay: 3e-4 }), compared: 10 },
  {
    name: 'kfac model',
    make: () => kfac({ lr: 'model', adaptDamping: true, weightDecay: 1e-4 }),
    compared: 10,
  },
  { name: 'shampoo', make: () => shampoo({ lr: 0.1, weightDecay: 1e-4 }), compared: 10 },
];

const all = syntheticDigits({ count: STEPS * BATCH, size: 32, seed: 0, split: 'train' });

/** Losses and final parameters of so many steps on batches of their own, the same first ones for every count. */
async function train(
  make: () => Optimizer,
  steps: number,
  { device, seed = SEEDS[0], threads }: { device: DeviceName; seed?: number; threads?: number },
) {
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
      seed,
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
        let worst = Number.POSITIVE_INFINITY;
        for (const seed of SEEDS) {
          const js = await train(make, compared, { device: 'js', seed });
          const cpu = await train(make, compared, { device: 'cpu', seed });
          expect(cpu.losses).toHaveLength(compared);
          expect(cpu.losses[compared - 1]).toBeLessThan(cpu.losses[0]);
          const errors = cpu.losses.map((loss, i) => Math.abs(loss - js.losses[i]) / js.losses[i]);
          expect(Math.max(...errors.slice(0, 2))).toBeLessThan(1e-6);
          worst = Math.min(worst, Math.max(...errors));
          if (worst < 1e-4) break;
        }
        expect(worst).toBeLessThan(1e-4);
      });

      it('is the same to the bit twice, and with 1, 2 and 4 threads', async () => {
        const first = await train(make, STEPS, { device: 'cpu', threads: 1 });
        for (const threads of [1, 2, 4]) {
          const other = await train(make, STEPS, { device: 'cpu', threads });
          expect(other.losses, `${threads} threads`).toEqual(first.losses);
          expect(other.bytes === first.bytes, `${threads} threads`).toBe(true);
        }
      });
    });
  },
);
