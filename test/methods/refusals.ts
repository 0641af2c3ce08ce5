/** What methods refuse, by running it: a code each. */
import {
  type DeviceName,
  FlatminError,
  groups,
  kfac,
  muonWithAdamW,
  sam,
  sgd,
  trainStep,
} from '../../src/index.ts';
import { model } from '../optim/small-network.ts';
import { images, LEARN, observed } from './problems.ts';

type Asked = (device: DeviceName) => unknown;

const grads = () =>
  Object.fromEntries(
    Object.entries(observed.start()).map(([name, { data }]) => [name, data.slice()]),
  );
const vector = () => ({ v: { data: Float32Array.of(1, 2), shape: [2] } });
const lr = 0.1;

export const REFUSALS: Readonly<Record<string, Asked>> = {
  'kfac on arrays, shown nothing': (device) => {
    const optimizer = kfac(observed.start(), { lr, device });
    optimizer.step(grads());
  },
  'kfac on arrays, a layer not shown again': (device) => {
    const optimizer = kfac(observed.start(), { lr, statisticsEvery: 1, device });
    const seen = { inputs: new Float32Array(10).fill(1), outputGrads: new Float32Array(8).fill(1) };
    optimizer.observe('hidden', seen);
    optimizer.step(grads());
    optimizer.step(grads());
  },
  "kfac on arrays, `fisher: 'exact'`": (device) => {
    const optimizer = kfac(observed.start(), { lr, fisher: 'exact', device });
    optimizer.step(grads());
  },
  'kfac on arrays, `adaptDamping`': (device) =>
    kfac(observed.start(), { lr, adaptDamping: true, device }),
  "kfac on arrays, `lr: 'model'`": (device) => kfac(observed.start(), { lr: 'model', device }),
  "kfac, `lr: 'model'` with `momentum`": () => kfac({ lr: 'model', momentum: 0.9 }),
  'kfac, `observe` of what is no linear layer': (device) =>
    kfac(vector(), { lr, device }).observe('v', {
      inputs: new Float32Array(2),
      outputGrads: new Float32Array(2),
    }),
  'sam on arrays, gradients instead of a closure': (device) =>
    sam(observed.start(), sgd({ lr }), { device }).step(grads()),
  'sam as one of `groups`': (device) =>
    groups(vector(), [{ optimizer: sam(sgd({ lr })) }], { device }),
  "sam with `precision: 'bf16'`": (device) =>
    trainStep(model(), {
      ...LEARN,
      input: images.inputs.shape,
      optimizer: sam(sgd({ lr })),
      precision: 'bf16',
      device,
    }),
  'muonWithAdamW without a matrix inside the network': (device) =>
    muonWithAdamW(vector(), { muon: { lr }, adamw: { lr }, device }),
  'any method, a gradient that is not finite': (device) =>
    sgd(vector(), { lr, device }).step({ v: Float32Array.of(1, Number.NaN) }),
  'any method, a gradient of another length': (device) =>
    sgd(vector(), { lr, device }).step({ v: Float32Array.of(1) }),
};

export async function codeOf(asked: Asked, device: DeviceName): Promise<string> {
  try {
    await asked(device);
  } catch (error) {
    if (error instanceof FlatminError) return error.code;
    throw error;
  }
  return 'not refused';
}
