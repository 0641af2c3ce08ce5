/** The first steps of ResNet-18 by every method: what has to be made once, and what is made anew every so often. */
import { resnet18 } from '#flatmin/nn/models';
import { adamw } from '#flatmin/optim/adamw';
import { kfac } from '#flatmin/optim/kfac';
import { lion } from '#flatmin/optim/lion';
import { muonWithAdamW } from '#flatmin/optim/muon-with-adamw';
import { sam } from '#flatmin/optim/sam';
import { sgd } from '#flatmin/optim/sgd';
import { shampoo } from '#flatmin/optim/shampoo';
import { soap } from '#flatmin/optim/soap';
import type { Optimizer } from '#flatmin/step/bound';
import { Training } from '#flatmin/train/training';
import { CPU, flatmin } from '../flatmin.ts';
import { memoryUsed } from '../memory.ts';
import { imagesOf } from '../resnet.ts';
import { spread } from '../runner.ts';
import type { Sample, Suite, Target, Works } from '../suite.ts';
import { showSeconds } from '../table.ts';

const STEPS = 20;
const BATCH = 32;

const METHODS: Readonly<Record<string, () => Optimizer>> = {
  sgd: () => sgd({ lr: 0.05, momentum: 0.9 }),
  adamw: () => adamw({ lr: 1e-3 }),
  lion: () => lion({ lr: 1e-4 }),
  sam: () => sam(sgd({ lr: 0.05, momentum: 0.9 })),
  'muon with adamw': () => muonWithAdamW({ muon: { lr: 0.02 }, adamw: { lr: 1e-3 } }),
  'shampoo, grafted': () => shampoo({ lr: 0.05, graft: 'sgd' }),
  'shampoo, grafted, statistics every 20, roots every 100': () =>
    shampoo({ lr: 0.05, graft: 'sgd', statisticsEvery: 20, rootsEvery: 100 }),
  soap: () => soap({ lr: 1e-3 }),
  kfac: () => kfac({ lr: 0.01 }),
  'kfac, statistics every 20, inverses every 100': () =>
    kfac({ lr: 0.01, statisticsEvery: 20, inversesEvery: 100 }),
};

/** The median step; an epoch is one. */
async function firstSteps(optimizer: Optimizer, target: Target): Promise<Sample> {
  const train = imagesOf(BATCH);
  const begun = performance.now();
  const training = new Training(resnet18(), { train }, { optimizer, batch: BATCH, ...target });
  const ready = (performance.now() - begun) / 1000;
  const steps: number[] = [];
  const processor: number[] = [];
  for (let step = 1; step <= STEPS; step++) {
    const started = performance.now();
    const spent = process.cpuUsage();
    await training.epoch();
    steps.push((performance.now() - started) / 1000);
    const { user, system } = process.cpuUsage(spent);
    processor.push((user + system) / 1e6);
  }
  const { median, max } = spread(steps);
  const says = [
    `compiled in ${showSeconds(ready)}`,
    `processor time ${showSeconds(spread(processor).median)} a step, ${showSeconds(spread(processor).max)} the most`,
    `first step ${showSeconds(steps[0])}`,
    `slowest ${showSeconds(max)}, step ${steps.indexOf(max) + 1}`,
  ];
  return { seconds: median, measured: says.join('; '), memory: memoryUsed(training) };
}

export const works: Works = Object.fromEntries(
  Object.entries(METHODS).map(([name, make]) => [name, (target) => firstSteps(make(), target)]),
);

const everyCore = CPU[CPU.length - 1];

export const suite: Suite = {
  name: 'resnet',
  title: `The first ${STEPS} steps of ResNet-18, batch ${BATCH}`,
  rounds: 1,
  onRequest: true,
  comparisons: Object.keys(METHODS).map((name) => ({
    name,
    subjects: [flatmin('resnet', name, everyCore)],
    ratio: 'cost',
  })),
};
