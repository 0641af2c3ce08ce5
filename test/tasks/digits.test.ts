import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fit, lenet5, syntheticDigits } from '../../src/index.ts';
import { digits } from '../../src/tasks/digits.ts';
import { COMPARED, METHOD_NAMES, makeOptimizer, SHARPNESS_AWARE } from '../../src/tasks/methods.ts';
import type { Task } from '../../src/tasks/task.ts';
import { writeMnist } from '../cli/mnist-files.ts';

const { settings }: Task = digits;

describe('digits', () => {
  it('brings the published settings', () => {
    expect(digits).toMatchObject({ batch: 100, epochs: 20, target: 0.985 });
    const compared = COMPARED.map((name) => [name, settings[name]]);
    expect(Object.fromEntries(compared)).toEqual({
      sgd: { lr: 0.1, weightDecay: 0 },
      sam: { lr: 0.03, weightDecay: 0, rho: 0.1 },
      lion: { lr: 0.0001, weightDecay: 0 },
      kfac: { lr: 0.01, weightDecay: 0.0003 },
      shampoo: { lr: 0.1, weightDecay: 0.0001 },
    });
  });

  it('hands options to every method', () => {
    for (const name of METHOD_NAMES) {
      const climbs = SHARPNESS_AWARE.includes(name);
      const given = { lr: 0.25, weightDecay: 0.125 };
      const { options } = makeOptimizer(name, { ...given, ...(climbs && { rho: 0.5 }) });
      const members = 'groups' in options ? options.groups : [climbs ? options.base : options];
      for (const member of members as object[]) expect(member, name).toMatchObject(given);
      if (climbs) expect(options).toMatchObject({ rho: 0.5, base: { name: 'sgd' } });
    }
  });

  it.each(METHOD_NAMES)('has a setting by which %s learns', async (name) => {
    const optimizer = makeOptimizer(name, settings[name] ?? {});
    const train = syntheticDigits({ count: 2000, size: 32, seed: 0, split: 'train' });
    const options = { optimizer, batch: digits.batch, epochs: 2, seed: 0 };
    const { history } = await fit(lenet5(), { train }, options);
    expect(history[1].trainLoss).toBeLessThan(history[0].trainLoss);
  });

  it('is validated on other digits than it is tested on', () => {
    const [held, whole] = [true, false].map((validation) =>
      digits.load({ examples: 10, testExamples: 20, validation }),
    );
    expect(held.data.train).toEqual(whole.data.train);
    expect(held.final).toEqual(whole.data.test);
    expect(held.data.test.inputs).not.toEqual(held.final?.inputs);
    expect(whole.final).toBeUndefined();
  });

  it('draws digits where there is no folder', () => {
    const { train, test } = digits.load({ examples: 3, testExamples: 2 }).data;
    expect(train).toMatchObject({ count: 3, synthetic: true, inputs: { shape: [1, 32, 32] } });
    expect(test).toMatchObject({ count: 2, synthetic: true });
    expect(train.inputs.data.subarray(0, 2048)).not.toEqual(test.inputs.data);
  });
});

describe('digits from MNIST', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'flatmin-digits-'));
    mkdirSync(join(dir, 'mnist'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('is found in the folder or in its mnist/', () => {
    expect(digits.isIn(dir)).toBe(false);
    writeMnist(join(dir, 'mnist'), { train: 5, test: 4 });
    expect(digits.isIn(dir)).toBe(true);
    expect(digits.isIn(join(dir, 'mnist'))).toBe(true);
  });

  it('takes the first examples, padded', () => {
    writeMnist(dir, { train: 5, test: 4 });
    const whole = digits.load({ dir }).data;
    expect([whole.train.count, whole.test.count]).toEqual([5, 4]);
    const { train } = digits.load({ dir, examples: 2 }).data;
    expect(train).toMatchObject({ count: 2, synthetic: false, inputs: { shape: [1, 32, 32] } });
    expect(train.inputs.data).toEqual(whole.train.inputs.data.subarray(0, 2 * 32 * 32));
    expect(train.labels).toEqual(whole.train.labels.subarray(0, 2));
  });

  it('refuses more examples than there are, and a missing file', () => {
    writeMnist(dir, { train: 5, test: 4 });
    expect(() => digits.load({ dir, testExamples: 9 })).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: 9 examples were asked for, and mnist has 4]`,
    );
    writeFileSync(join(dir, 't10k-labels-idx1-ubyte'), '');
    expect(() => digits.load({ dir })).toThrow('t10k-labels-idx1-ubyte');
  });
});
