/** Parameters that stay as they are: to the bit, without a gradient, without state. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  adamw,
  batchNorm,
  conv2d,
  fit,
  flatten,
  groups,
  kfac,
  type Layer,
  lenet5,
  linear,
  lion,
  lstmTagger,
  muonWithAdamW,
  type NamePattern,
  type Optimizer,
  relu,
  sam,
  sequential,
  sgd,
  shampoo,
  soap,
  syntheticDigits,
  tokenCrossEntropy,
  trainStep,
} from '../../src/index.ts';
import { Training, type TrainingOptions } from '../../src/train/training.ts';
import { present } from '../optim/devices.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flatmin-frozen-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const images = syntheticDigits({ count: 24, seed: 1, split: 'train', size: 12 });
const network = () =>
  sequential({
    conv1: conv2d(3, 3),
    bn1: batchNorm(),
    relu1: relu(),
    conv2: conv2d(4, 3),
    bn2: batchNorm(),
    relu2: relu(),
    flatten: flatten(),
    fc: linear(10),
  });
const OPTIMIZERS: Readonly<Record<string, Optimizer>> = {
  momentum: sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.1 }),
  adamw: adamw({ lr: 0.01, weightDecay: 0.1 }),
  lion: lion({ lr: 0.01, weightDecay: 0.1 }),
  sam: sam(adamw({ lr: 0.01 }), { rho: 0.05 }),
  kfac: kfac({ lr: 0.01, statisticsEvery: 2, inversesEvery: 2 }),
  shampoo: shampoo({ lr: 0.01 }),
  soap: soap({ lr: 0.01 }),
  muon: muonWithAdamW({ muon: { lr: 0.01 }, adamw: { lr: 0.01 } }),
};

/** Instructions of a step by their ops. */
function opsOf(layers: Layer, data: typeof images, options: Partial<TrainingOptions>) {
  const given = { optimizer: OPTIMIZERS.momentum, batch: 8, device: 'js', ...options } as const;
  const training = new Training(layers, { train: data }, given);
  const [step] = training.steps.values();
  const counts: Record<string, number> = {};
  for (const { op } of step.program.compiled.spec.instructions) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
}

describe('a step holds no instruction', () => {
  const of = (frozen?: readonly NamePattern[], optimizer = OPTIMIZERS.momentum) =>
    opsOf(network(), images, { frozen, optimizer });

  it('for the gradient of a frozen convolution', () => {
    expect(of()).toMatchObject({ conv2dGradWeight: 2, conv2dGradInput: 1, batchNormGrad: 2 });
    const first = of(['conv1.*']);
    expect(first).toMatchObject({ conv2dGradWeight: 1, conv2dGradInput: 1, batchNormGrad: 2 });
    // Nothing below the second needs a gradient any more.
    const both = of(['conv1.*', 'bn1.*']);
    expect(both).toMatchObject({ conv2dGradWeight: 1, batchNormGrad: 1, trackStatistics: 1 });
    expect(both).not.toHaveProperty('conv2dGradInput');
    const head = of([/^(conv|bn)/]);
    for (const op of ['conv2dGradWeight', 'conv2dGradInput', 'batchNormGrad', 'trackStatistics']) {
      expect(head).not.toHaveProperty(op);
    }
  });

  it('for an embedding’s, and only for the others’ factors in K-FAC', () => {
    const tokens = {
      name: 'tokens',
      synthetic: true,
      inputs: { data: Int32Array.from({ length: 40 }, (_, i) => i % 6), shape: [5] },
      labels: Int32Array.from({ length: 40 }, (_, i) => i % 3),
      labelShape: [5],
      classes: 3,
      count: 8,
    };
    const layers = lstmTagger({ vocabulary: 6, tags: 3, embedding: 4, hidden: 5 });
    const loss = tokenCrossEntropy();
    const whole = opsOf(layers, tokens as never, { loss });
    const part = opsOf(layers, tokens as never, { loss, frozen: ['embedding.*'] });
    expect(whole.scatterAdd).toBe(1);
    expect(part).not.toHaveProperty('scatterAdd');
    expect(part.lstmGrad).toBe(1);
    const factors = (frozen?: string[]) => of(frozen, OPTIMIZERS.kfac).kfacGradFactor;
    expect([factors(), factors(['conv2.*'])]).toEqual([3, 2]);
    const keys = stateOf(OPTIMIZERS.kfac, ['conv2.weight', 'conv2.bias']);
    expect(keys.filter((key) => key.includes('conv2'))).toEqual([
      'param/conv2.weight',
      'param/conv2.bias',
    ]);
  });
});

function stateOf(optimizer: Optimizer, frozen: readonly NamePattern[]): string[] {
  const options = { optimizer, frozen, batch: 8, device: 'js' } as const;
  return Object.keys(new Training(network(), { train: images }, options).stateDict());
}

it.each(Object.entries(OPTIMIZERS))('%s keeps no state of them', (_, optimizer) => {
  const all = stateOf(optimizer, []);
  const part = stateOf(optimizer, ['conv1.*', 'bn1.weight']);
  expect(part.length).toBeLessThan(all.length);
  const own = part.filter((key) => key.startsWith('state/') && /conv1|bn1\.weight/.test(key));
  expect(own).toEqual([]);
});

describe.each(present)('on %s', (device) => {
  const train = (optimizer: Optimizer, options: object = {}) =>
    fit(network(), { train: images }, { optimizer, epochs: 2, batch: 10, device, ...options });

  it.each(Object.entries(OPTIMIZERS))('%s leaves them to the bit', async (_, optimizer) => {
    const frozen = ['conv1.*', 'bn1.*', /^fc\.bias$/];
    const before = (await train(optimizer, { epochs: 0 })).model.stateDict();
    const after = (await train(optimizer, { frozen })).model.stateDict();
    const moved = Object.keys(after).filter(
      (name) => !after[name].data.every((x, i) => Object.is(x, before[name].data[i])),
    );
    const expected = Object.keys(before).filter((name) => !/^(conv1|bn1)|fc\.bias/.test(name));
    expect(moved).toEqual(expected);
  });

  it('the others train as beside parameters of rate 0', async () => {
    for (const [optimizer, still] of [
      [sgd({ lr: 0.1, momentum: 0.9 }), sgd({ lr: 0 })],
      [adamw({ lr: 0.01 }), sgd({ lr: 0 })],
    ]) {
      const frozen = [/^conv1/, 'bn1.weight', 'bn1.bias'];
      const match = /^(conv1|bn1)\./;
      const one = await train(optimizer, { frozen });
      const other = await train(groups([{ match, optimizer: still }, { optimizer }]));
      expect(one.model.stateDict()).toEqual(other.model.stateDict());
      const grouped = groups([{ match: /conv2/, optimizer: lion({ lr: 0.01 }) }, { optimizer }]);
      const { model } = await train(grouped, { frozen });
      const before = (await train(optimizer, { epochs: 0 })).model.parameters();
      expect(model.parameters()['conv1.weight']).toEqual(before['conv1.weight']);
      expect(model.parameters()['conv2.weight']).not.toEqual(before['conv2.weight']);
    }
    const only = groups([
      { match: /conv1/, optimizer: sgd({ lr: 0.1 }) },
      { optimizer: sgd({ lr: 0.1 }) },
    ]);
    await expect(train(only, { frozen: ['conv1.*'] })).rejects.toThrow(
      'Group 0 (sgd) gets no parameter',
    );
  });

  it('resumes, with the same ones alone', async () => {
    const checkpoint = join(dir, device);
    const optimizer = OPTIMIZERS.adamw;
    const frozen = ['conv*'];
    const whole = await train(optimizer, { frozen });
    await train(optimizer, { frozen, epochs: 1, checkpoint });
    const resumed = await train(optimizer, { frozen, checkpoint, resume: true });
    expect(resumed.model.stateDict()).toEqual(whole.model.stateDict());
    await expect(train(optimizer, { checkpoint, resume: true })).rejects.toThrow('frozen.0');
  });

  it('trainStep leaves them too, and loads its own state', () => {
    const make = () =>
      trainStep(lenet5(), {
        optimizer: OPTIMIZERS.adamw,
        input: [1, 32, 32],
        batch: 2,
        frozen: ['conv*'],
        device,
      });
    const step = make();
    const before = step.model.parameters();
    const x = Float32Array.from({ length: 2 * 1024 }, (_, i) => Math.sin(i));
    step(x, Int32Array.of(1, 2));
    const after = step.model.parameters();
    expect(after['conv3.weight']).toEqual(before['conv3.weight']);
    expect(after['fc1.weight']).not.toEqual(before['fc1.weight']);
    const other = make();
    other.loadStateDict(step.stateDict());
    expect(other(x, Int32Array.of(1, 2))).toBe(step(x, Int32Array.of(1, 2)));
    expect(other.stateDict()).toEqual(step.stateDict());
  });
});

it.each([
  [3, 'frozen must be a list of names and RegExps, got 3'],
  [[3], 'A pattern of frozen must be a name or a RegExp, got 3'],
  [['conv3.*'], 'frozen: "conv3.*" is no name; there are "conv1.weight", "conv1.bias"'],
  [[/conv3/], 'frozen: /conv3/ is no name'],
  [['conv1'], 'frozen: "conv1" is no name'],
  [['*'], 'frozen leaves no parameter to train'],
])('refuses %o', async (frozen, message) => {
  const run = fit(
    network(),
    { train: images },
    { optimizer: OPTIMIZERS.momentum, epochs: 1, frozen: frozen as never },
  );
  await expect(run).rejects.toThrow(message);
});
