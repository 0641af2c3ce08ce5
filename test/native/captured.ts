/** Real programs: of the conformance cases, and of training steps of small networks by every method. */
import { NativeStore } from '../../src/backend/native/store.ts';
import type { ProgramSpec } from '../../src/graph/types.ts';
import {
  adam,
  adamw,
  batchNorm,
  conv2d,
  embedding,
  fit,
  flatten,
  kfac,
  type Layer,
  lenet5,
  linear,
  lion,
  lstm,
  maxPool2d,
  type Optimizer,
  relu,
  sequential,
  sgd,
  syntheticDigits,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';
import { collectCases } from '../conformance/collect.ts';
import { onCuda, shortList } from '../conformance/short.ts';
import { METHODS } from '../methods/catalogue.ts';

/** What `body` loads into the CPU's executor. */
async function loadedBy(body: () => unknown): Promise<ProgramSpec[]> {
  const specs: ProgramSpec[] = [];
  const { load } = NativeStore.prototype;
  NativeStore.prototype.load = function (spec) {
    specs.push(spec);
    return load.call(this, spec);
  };
  try {
    await body();
  } finally {
    NativeStore.prototype.load = load;
  }
  return specs;
}

const images = (optimizer: Optimizer, norms: readonly Layer[] = []) => {
  const model = sequential(
    conv2d(4, 3),
    ...norms,
    relu(),
    maxPool2d(2),
    flatten(),
    linear(5),
    linear(3),
  );
  trainStep(model, { optimizer, input: [2, 8, 8], batch: 4, device: 'cpu' });
};

const sentences = (optimizer: Optimizer) =>
  trainStep(sequential(embedding(5, 4), lstm(3), linear(3)), {
    optimizer,
    input: [4],
    inputType: 'i32',
    batch: 3,
    loss: tokenCrossEntropy(),
    device: 'cpu',
  });

const onArrays = (): void => {
  const params = () => ({ w: { data: new Float32Array(12).fill(1), shape: [3, 4] } });
  const options = { lr: 0.1, device: 'cpu' } as const;
  for (const bound of [sgd(params(), options), adamw(params(), options), lion(params(), options)])
    bound.step({ w: new Float32Array(12) });
};

/** A training step of LeNet-5, and what `fit` runs beside it. */
const digits = (): Promise<unknown> => {
  const train = syntheticDigits({ count: 8, size: 32, seed: 1, split: 'train' });
  const options = { optimizer: sgd({ lr: 0.1 }), epochs: 1, batch: 4, device: 'cpu' } as const;
  return fit(lenet5(), { train, test: train }, options);
};

export async function capturedPrograms(): Promise<ProgramSpec[]> {
  const cases = shortList(await collectCases()).flatMap((c) => onCuda(c).map(({ spec }) => spec));
  const steps = await loadedBy(async () => {
    for (const { make } of METHODS) images(make());
    images(sgd({ lr: 0.1 }), [batchNorm()]);
    for (const optimizer of [adam({ lr: 0.1 }), kfac({ lr: 0.1 })]) sentences(optimizer);
    onArrays();
    await digits();
  });
  // The single ops are many; the steps, of every op that a method has, weigh as much.
  const times = Math.max(1, Math.round(cases.length / steps.length));
  return [...cases, ...Array.from({ length: times }, () => steps).flat()];
}
