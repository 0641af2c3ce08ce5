/**
 * LeNet-5 on procedural digits by every method, on a device and on the CPU. As a program,
 * `lenet5.js --device cuda [--batch 100] [--steps 100]`, it prints a JSON line for each method: whether the losses of
 * the first steps agree, and what a step takes on each.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  cosine,
  type DeviceName,
  fit,
  kfac,
  lenet5,
  lion,
  type Optimizer,
  type Precision,
  sam,
  sgd,
  shampoo,
  syntheticDigits,
} from '../../src/index.ts';
import { provideDevice } from '../emulation/build.ts';

export interface Method {
  readonly name: string;
  readonly make: () => Optimizer;
  /** Of the device; the CPU's is float32. */
  readonly precision?: Precision;
  /** Of losses, relative, over the first steps. */
  readonly tolerance: number;
}

/** Shampoo and K-FAC compute roots and inverses every other step, so that two graphs are recorded and replayed. */
export const METHODS: readonly Method[] = [
  { name: 'sgd', make: () => sgd({ lr: 0.1 }), tolerance: 1e-5 },
  { name: 'sgd tf32', make: () => sgd({ lr: 0.1 }), precision: 'tf32', tolerance: 2e-3 },
  { name: 'sgd bf16', make: () => sgd({ lr: 0.1 }), precision: 'bf16', tolerance: 2e-2 },
  { name: 'sam', make: () => sam(sgd({ lr: 0.03 }), { rho: 0.05 }), tolerance: 1e-5 },
  { name: 'lion', make: () => lion({ lr: cosine(1e-4, { steps: 200 }) }), tolerance: 1e-5 },
  // Inverses and roots come by other algorithms, in float32, than the CPU's.
  { name: 'kfac', make: () => kfac({ lr: 0.01, inversesEvery: 2 }), tolerance: 1e-3 },
  {
    name: 'shampoo',
    make: () => shampoo({ lr: 0.1, rootsEvery: 2, blockSize: 128 }),
    tolerance: 1e-3,
  },
];

interface Size {
  readonly batch: number;
  readonly steps: number;
}

/** Losses of an epoch of so many steps, the parameters after it, and the seconds of a step. */
export async function train(
  optimizer: Optimizer,
  device: DeviceName,
  { batch, steps, precision }: Size & { precision?: Precision },
) {
  const losses: number[] = [];
  const data = syntheticDigits({ count: steps * batch, size: 32, seed: 0, split: 'train' });
  const onStep = ({ loss }: { loss: number }) => losses.push(loss);
  const options = { optimizer, batch, epochs: 1, device, precision, onStep };
  const { model, history } = await fit(lenet5(), { train: data }, options);
  const parameters = Object.values(model.parameters()).flatMap(({ data }) => [...data]);
  return { losses, parameters, seconds: history[0].epochSeconds / steps };
}

/** Steps whose losses are compared: rounding grows from step to step. */
const COMPARED = 4;

async function compareAndTime(
  { name, make, precision, tolerance }: Method,
  device: DeviceName,
  size: Size,
) {
  try {
    const there = await train(make(), device, { ...size, precision });
    const here = await train(make(), 'auto', size);
    const apart = here.losses
      .slice(0, COMPARED)
      .map((loss, i) => Math.abs(there.losses[i] / loss - 1));
    const worst = Math.max(...apart);
    const seconds = { device: there.seconds, cpu: here.seconds };
    return { method: name, agrees: worst < tolerance, worst, tolerance, seconds };
  } catch (error) {
    return { method: name, agrees: false, error: (error as Error).message };
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { device: text, batch: text, steps: text } });
  const size = { batch: Number(values.batch ?? 100), steps: Number(values.steps ?? 100) };
  const device = (values.device ?? 'cuda') as DeviceName;
  await provideDevice(device);
  for (const method of METHODS) {
    const line = await compareAndTime(method, device, size);
    process.stdout.write(`${JSON.stringify(line)}\n`);
    if (!line.agrees) process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
