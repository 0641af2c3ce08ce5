import { describe, expect, it } from 'vitest';
import {
  adamw,
  type Dataset,
  type FitOptions,
  fit,
  kfac,
  type Layer,
  type StepReport,
  sam,
  sgd,
} from '../../src/index.ts';
import { present } from '../optim/devices.ts';
import { bytesOf } from '../optim/tensors.ts';
import { circle, network } from './task.ts';

describe.each(present)('micro-batches on %s', (device) => {
  const run = async (
    options: Pick<FitOptions, 'optimizer' | 'batch' | 'accumulate'>,
    train: Dataset = circle(50),
    model: Layer = network(),
  ) => {
    const reports: StepReport[] = [];
    const onStep = (report: StepReport) => reports.push(report);
    const fitted = await fit(model, { train }, { epochs: 2, device, onStep, ...options });
    return { reports, params: fitted.model.parameters() };
  };

  it.each([
    ['sgd', () => sgd({ lr: 0.1, momentum: 0.9 })],
    ['adamw', () => adamw({ lr: 0.01 })],
    ['sam', () => sam(sgd({ lr: 0.1 }), { rho: 0.1 })],
    ['looksam', () => sam(sgd({ lr: 0.1 }), { rho: 0.1, every: 2, between: 'look' })],
  ] as const)('give the steps of whole batches to %s', async (_, optimizer) => {
    // Batches of 20, 20 and 10: micro-batches of 7, 7, 6 and of 7, 3.
    const whole = await run({ optimizer: optimizer(), batch: 20 });
    const cut = await run({ optimizer: optimizer(), batch: 20, accumulate: 3 });
    expect(cut.reports).toHaveLength(6);
    cut.reports.forEach(({ loss, sharpness }, i) => {
      expect(loss).toBeCloseTo(whole.reports[i].loss, 5);
      expect(sharpness ?? 0).toBeCloseTo(whole.reports[i].sharpness ?? 0, 5);
    });
    for (const [name, { data }] of Object.entries(cut.params)) {
      data.forEach((v, i) => {
        expect(v).toBeCloseTo(whole.params[name].data[i], 4);
      });
    }
  });

  it('draw masks of their own, the same in both passes of SAM', async () => {
    const optimizer = sgd({ lr: 0.1 });
    const options = { optimizer, batch: 2, accumulate: 2 };
    const one = circle(1);
    const { data } = one.inputs;
    const inputs = { shape: [2], data: Float32Array.of(...data, ...data) };
    const twins = { ...one, inputs, labels: Int32Array.of(...one.labels, ...one.labels), count: 2 };
    const lossOf = async (train: Dataset, p: number) =>
      (await run(options, train, network(p))).reports[0].loss;
    expect(await lossOf(twins, 0)).toBeCloseTo(await lossOf(one, 0), 6);
    // With equal masks the twins would have the loss of one.
    expect(Math.abs((await lossOf(twins, 0.5)) - (await lossOf(one, 0.5)))).toBeGreaterThan(1e-3);

    const cut = { batch: 20, accumulate: 4 };
    const plain = await run({ optimizer, ...cut }, circle(50), network(0.5));
    const climbed = { optimizer: sam(optimizer, { rho: 0 }), ...cut };
    const twice = await run(climbed, circle(50), network(0.5));
    expect(bytesOf(twice.params)).toBe(bytesOf(plain.params));
    expect(twice.reports.every(({ sharpness }) => sharpness === 0)).toBe(true);
  });

  it('serve K-FAC', async () => {
    const options = { batch: 20, accumulate: 2 };
    const preconditioned = await run({ optimizer: kfac({ lr: 0.1 }), ...options });
    const plain = await run({ optimizer: sgd({ lr: 0.1 }), ...options });
    expect(preconditioned.reports.every(({ loss }) => Number.isFinite(loss))).toBe(true);
    expect(bytesOf(preconditioned.params)).not.toBe(bytesOf(plain.params));
    const { reports } = await run({ optimizer: kfac({ lr: 'model', damping: 0.1 }), ...options });
    expect(reports[5].loss).toBeLessThan(0.9 * reports[0].loss);
  });

  it('must be a whole number', async () => {
    for (const accumulate of [0, -1, 1.5, NaN]) {
      await expect(run({ optimizer: sgd({ lr: 1 }), accumulate })).rejects.toMatchObject({
        code: 'FLATMIN_ARGUMENT',
        message: `accumulate must be a whole number of at least 1, got ${accumulate}`,
      });
    }
  });
});
