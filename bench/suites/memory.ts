/** What trainings take of memory: planned temporaries beside what they would take apart, and the process. */
import { lenet5, resnet18 } from '#flatmin/nn/models';
import { batch, digitsOf, METHODS } from '../digits.ts';
import { CPU, flatmin } from '../flatmin.ts';
import { memoryOf } from '../memory.ts';
import { imagesOf } from '../resnet.ts';
import type { Suite, Works } from '../suite.ts';

const EPOCH = 600;

export const works: Works = {
  'LeNet-5, an epoch of 60,000': (target) =>
    memoryOf(lenet5(), digitsOf(EPOCH * batch), METHODS.sgd(), target),
  'ResNet-18, a step of 100': (target) =>
    memoryOf(resnet18(), imagesOf(batch), METHODS.sgd(), target),
};

const everyCore = CPU[CPU.length - 1];

export const suite: Suite = {
  name: 'memory',
  title: 'Memory of a training by SGD, batch 100',
  rounds: 3,
  comparisons: Object.keys(works).map((name) => ({
    name,
    subjects: [flatmin('memory', name, everyCore)],
    ratio: 'cost',
  })),
};
