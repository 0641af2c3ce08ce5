/** A LeNet-5 epoch: 60,000 examples in batches of 100, evaluation left out. */
import { METHODS, type MethodName, trainingOf } from '../digits.ts';
import { CPU, flatmin, JS } from '../flatmin.ts';
import type { Comparison, Sample, Suite, Target, Works } from '../suite.ts';

const EPOCH = 600;
const WARM_UP = 3;

/** Steps that are performed; the time of an epoch is in proportion. */
function stepsOf(method: MethodName, { device }: Target): number {
  if (device === 'js') return 20;
  return method.endsWith('k = 1') ? 100 : EPOCH;
}

function familyOf(method: MethodName): string {
  return method.split(',')[0];
}

async function epoch(method: MethodName, target: Target): Promise<Sample> {
  await trainingOf(method, WARM_UP, target).epoch();
  const steps = stepsOf(method, target);
  const done = await trainingOf(method, steps, target).epoch();
  if (done === undefined) throw new Error('The epoch was stopped');
  return {
    seconds: (done.seconds * EPOCH) / steps,
    measured: steps === EPOCH ? undefined : `${steps} of ${EPOCH} steps`,
  };
}

const methods = Object.keys(METHODS) as MethodName[];
const families = [...new Set(methods.map(familyOf))].filter((family) => family !== 'sgd');

export const works: Works = Object.fromEntries(
  methods.map((method) => [method, (target) => epoch(method, target)]),
);

const everyCore = CPU[CPU.length - 1];

export const suite: Suite = {
  name: 'lenet5',
  title: 'A LeNet-5 epoch, batch 100, generated digits',
  rounds: 5,
  comparisons: [
    {
      name: 'sgd',
      subjects: [JS, ...CPU].map((target) => flatmin('lenet5', 'sgd', target)),
      ratio: 'speedup',
    },
    ...families.map(
      (family): Comparison => ({
        name: `${family}, ${everyCore.threads} threads`,
        subjects: methods
          .filter((method) => method === 'sgd' || familyOf(method) === family)
          .map((method) => flatmin('lenet5', method, everyCore, method)),
        ratio: 'cost',
      }),
    ),
  ],
};
