/** Seconds of training until LeNet-5 reads MNIST to the study's target, by methods at their published settings. */
import { lenet5 } from '#flatmin/nn/models';
import { digits } from '#flatmin/tasks/digits';
import { Training } from '#flatmin/train/training';
import { batch, METHODS, type MethodName } from '../digits.ts';
import { CPU, flatmin } from '../flatmin.ts';
import type { Sample, Suite, Target, Works } from '../suite.ts';

const RACING: readonly MethodName[] = ['sgd', 'kfac, k = 10', 'shampoo, k = 10'];
const SEEDS = [0, 1, 2];
const MOST_EPOCHS = 20;

/** A folder with MNIST's four files, or a folder above it. */
const dir = process.env.FLATMIN_DATA;

function lack(): string | null {
  if (dir === undefined) return 'FLATMIN_DATA names no folder with MNIST';
  return digits.isIn(dir) ? null : `there is no MNIST in ${dir}, which FLATMIN_DATA names`;
}

async function toTarget(method: MethodName, seed: number, target: Target): Promise<Sample> {
  const { train, test } = digits.load({ dir }).data;
  const options = { optimizer: METHODS[method](), batch, seed, ...target };
  const training = new Training(lenet5(), { train, test }, options);
  let seconds = 0;
  for (let epoch = 1; epoch <= MOST_EPOCHS; epoch++) {
    seconds += (await training.epoch())?.seconds ?? Number.NaN;
    const accuracy = (await training.evaluate())?.metrics.accuracy ?? 0;
    if (accuracy >= digits.target)
      return { seconds, measured: `epochs: ${epoch}, test accuracy ${accuracy}` };
  }
  throw new Error(`${method} did not reach ${digits.target} in ${MOST_EPOCHS} epochs`);
}

const workOf = (method: MethodName, seed: number): string => `${method}, seed ${seed}`;

export const works: Works = Object.fromEntries(
  RACING.flatMap((method) =>
    SEEDS.map((seed) => [workOf(method, seed), (target: Target) => toTarget(method, seed, target)]),
  ),
);

const everyCore = CPU[CPU.length - 1];

export const suite: Suite = {
  name: 'target',
  title: `LeNet-5 on MNIST to test accuracy ${digits.target}`,
  rounds: 10,
  onRequest: true,
  comparisons: SEEDS.map((seed) => ({
    name: `seed ${seed}, ${everyCore.threads} threads`,
    subjects: RACING.map((method) => ({
      ...flatmin('target', workOf(method, seed), everyCore, method),
      lack,
    })),
    ratio: 'speedup',
  })),
};
