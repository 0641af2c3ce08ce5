import type { Dataset } from '#flatmin/data/dataset';
import { syntheticDigits } from '#flatmin/data/digits';
import { lenet5 } from '#flatmin/nn/models';
import { kfac } from '#flatmin/optim/kfac';
import { lion } from '#flatmin/optim/lion';
import { sam } from '#flatmin/optim/sam';
import { sgd } from '#flatmin/optim/sgd';
import { shampoo } from '#flatmin/optim/shampoo';
import type { Optimizer } from '#flatmin/step/bound';
import { digits } from '#flatmin/tasks/digits';
import { Training } from '#flatmin/train/training';
import type { Target } from './suite.ts';

const { settings, batch } = digits;

export { batch };

const { rho, ...samBase } = settings.sam;
const shampooEvery = (k: number) =>
  shampoo({ ...settings.shampoo, statisticsEvery: k, rootsEvery: k });
const kfacEvery = (k: number) => kfac({ ...settings.kfac, statisticsEvery: k, inversesEvery: k });

/** The published settings. `k` is the interval of statistics, and of Shampoo's roots or K-FAC's inverses alike. */
export const METHODS = {
  sgd: () => sgd(settings.sgd),
  lion: () => lion(settings.lion),
  sam: () => sam(sgd(samBase), { rho }),
  'kfac, k = 10': () => kfacEvery(10),
  'kfac, k = 1': () => kfacEvery(1),
  'shampoo, k = 10': () => shampooEvery(10),
  'shampoo, k = 1': () => shampooEvery(1),
} satisfies Record<string, () => Optimizer>;

export type MethodName = keyof typeof METHODS;

/** So many different digits are drawn, and repeated. */
const DISTINCT = 6000;

/** Generated digits of LeNet-5's size. */
export function digitsOf(count: number): Dataset {
  const drawn = syntheticDigits({
    count: Math.min(count, DISTINCT),
    size: 32,
    seed: 0,
    split: 'train',
  });
  const width = drawn.inputs.data.length / drawn.count;
  const data = new Uint8Array(count * width);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i += drawn.count) {
    data.set(drawn.inputs.data.subarray(0, (count - i) * width), i * width);
    labels.set(drawn.labels.subarray(0, count - i), i);
  }
  return { ...drawn, inputs: { ...drawn.inputs, data }, labels, count };
}

/** LeNet-5 at the start of a training of `steps` batches an epoch. */
export const trainingOf = (method: MethodName, steps: number, target: Target): Training =>
  new Training(
    lenet5(),
    { train: digitsOf(steps * batch) },
    {
      optimizer: METHODS[method](),
      batch,
      ...target,
    },
  );
