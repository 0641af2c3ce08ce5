/** An example that weighs k is k examples: of a whole weight, one that is repeated. */
import { describe, expect, it } from 'vitest';
import {
  type AnyDataset,
  type Dataset,
  embedding,
  type FitOptions,
  fit,
  kfac,
  linear,
  type Optimizer,
  type RegressionDataset,
  sam,
  sequential,
  sgd,
  squaredError,
  tokenCrossEntropy,
} from '../../src/index.ts';
import { uniforms } from '../../src/random/philox.ts';
import { present } from '../optim/devices.ts';
import { circle, network } from './task.ts';

const WEIGHTS = Float32Array.of(1, 3, 0, 2, 1, 0, 4, 1);
const ROWS = WEIGHTS.length;
const ORDER = [...WEIGHTS].flatMap((weight, row) => Array(weight).fill(row));

/** Rows of a field, each as often as it weighs. */
const repeated = <A extends { readonly length: number }>(data: A, width: number): A => {
  const numbers = data as unknown as Float32Array;
  const rows = ORDER.flatMap((row) => [...numbers.subarray(row * width, (row + 1) * width)]);
  return new (numbers.constructor as typeof Float32Array)(rows) as unknown as A;
};

const classes = circle(ROWS);

const numbers: RegressionDataset = {
  name: 'numbers',
  synthetic: true,
  inputs: classes.inputs,
  targets: {
    data: Float32Array.from(uniforms({ seed: 5, stream: 0, step: 0 }, 2 * ROWS)),
    shape: [2],
  },
  count: ROWS,
};
const STEPS = 3;
const tokens: Dataset = {
  name: 'tokens',
  synthetic: true,
  inputs: {
    data: Int32Array.from({ length: ROWS * STEPS }, (_, i) => (7 * i) % 5),
    shape: [STEPS],
  },
  labels: Int32Array.from({ length: ROWS * STEPS }, (_, i) => ((11 * i) % 4) - 1),
  labelShape: [STEPS],
  classes: 3,
  count: ROWS,
};

interface Case {
  readonly data: AnyDataset;
  readonly twin: AnyDataset;
  readonly options: Partial<FitOptions>;
  readonly model: () => ReturnType<typeof sequential>;
}

const twinOf = <D extends AnyDataset>(data: D, targets: Partial<D>): D => ({
  ...data,
  ...targets,
  inputs: { ...data.inputs, data: repeated(data.inputs.data, data.inputs.shape[0]) },
  count: ORDER.length,
});

const CASES: Readonly<Record<string, Case>> = {
  classes: {
    data: classes,
    twin: twinOf(classes, { labels: repeated(classes.labels, 1) }),
    options: {},
    model: network,
  },
  numbers: {
    data: numbers,
    twin: twinOf(numbers, { targets: { data: repeated(numbers.targets.data, 2), shape: [2] } }),
    options: { loss: squaredError() },
    model: network,
  },
  tokens: {
    data: tokens,
    twin: twinOf(tokens, { labels: repeated(tokens.labels, STEPS) }),
    options: { loss: tokenCrossEntropy() },
    model: () => sequential({ words: embedding(5, 4), head: linear(3) }),
  },
};

const METHODS: Readonly<Record<string, () => Optimizer>> = {
  sgd: () => sgd({ lr: 0.5 }),
  sam: () => sam(sgd({ lr: 0.5 }), { rho: 0.1 }),
  'kfac, exact Fisher': () => kfac({ lr: 0.5, fisher: 'exact' }),
  'kfac, empirical Fisher': () => kfac({ lr: 0.5, fisher: 'empirical', damping: 0.1 }),
};

describe.each(present)('weights of examples on %s', (device) => {
  const train = ({ model, options }: Case, data: AnyDataset, given: Partial<FitOptions> = {}) =>
    fit(
      model(),
      { train: data, test: data },
      {
        optimizer: sgd({ lr: 0.5 }),
        batch: data.count,
        epochs: 3,
        seed: 2,
        device,
        ...options,
        ...given,
      },
    );

  describe.each(Object.keys(CASES))('of %s', (name) => {
    const one = CASES[name];
    const data = { ...one.data, weights: WEIGHTS };

    it.each(Object.keys(METHODS))('are repetitions to %s', async (method) => {
      const optimizer = METHODS[method]();
      const a = await train(one, data, { optimizer });
      const b = await train(one, one.twin, { optimizer });
      for (const [i, { trainLoss, testLoss }] of a.history.entries()) {
        expect(trainLoss).toBeCloseTo(b.history[i].trainLoss, 5);
        expect(testLoss).toBeCloseTo(b.history[i].testLoss as number, 5);
      }
      const expected = b.model.parameters();
      for (const [key, { data }] of Object.entries(a.model.parameters())) {
        data.forEach((x, i) => {
          expect(Math.abs(x - expected[key].data[i]), `${key}[${i}]`).toBeLessThan(1e-5);
        });
      }
    });

    it('give the same step in micro-batches', async () => {
      const a = await train(one, data);
      const b = await train(one, data, { accumulate: 4 });
      const expected = b.model.parameters();
      for (const [key, { data }] of Object.entries(a.model.parameters())) {
        data.forEach((x, i) => {
          expect(Math.abs(x - expected[key].data[i]), `${key}[${i}]`).toBeLessThan(1e-6);
        });
      }
    });

    it('are those of evaluate', async () => {
      const { model } = await train(one, data);
      const { loss } = await model.evaluate(data, one.options);
      const { loss: expected } = await model.evaluate(one.twin, one.options);
      expect(loss).toBeCloseTo(expected, 6);
    });
  });

  it.each([
    [Float32Array.of(1, 2), /weights must be 8 finite numbers of at least 0, got 2 numbers/],
    [WEIGHTS.with(3, -1), /at least 0, got -1 for example 3/],
    [WEIGHTS.with(4, Number.NaN), /at least 0, got NaN for example 4/],
    [[...WEIGHTS], /weights must be a Float32Array, one number an example/],
  ])('must be as many numbers ≥ 0 as examples: %s', async (weights, message) => {
    const data = { ...classes, weights: weights as Float32Array };
    await expect(train(CASES.classes, data)).rejects.toThrow(message);
  });

  it('of 0 together make a step that does nothing', async () => {
    const { model, history } = await train(CASES.classes, {
      ...classes,
      weights: new Float32Array(ROWS),
    });
    const { model: fresh } = await train(CASES.classes, classes, { optimizer: sgd({ lr: 0 }) });
    expect(model.parameters()).toEqual(fresh.parameters());
    expect(history[0].trainLoss).toBeNaN();
  });
});
