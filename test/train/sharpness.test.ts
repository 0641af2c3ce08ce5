import { describe, expect, it } from 'vitest';
import { fit, kfac, type Optimizer, type StepReport, sam, sgd } from '../../src/index.ts';
import { present } from '../optim/devices.ts';
import { bytesOf } from '../optim/tensors.ts';
import { circle, network } from './task.ts';

describe.each(present)('the sharpness on %s', (device) => {
  const train = circle(40);
  const run = async (optimizer: Optimizer, batch: number) => {
    const reports: StepReport[] = [];
    const { model } = await fit(
      network(),
      { train },
      { optimizer, batch, epochs: 1, device, onStep: (report) => reports.push(report) },
    );
    return { reports, params: model.parameters() };
  };

  it('is ρ‖g‖ for a small radius', async () => {
    const rho = 0.01;
    const { reports, params } = await run(sam(sgd({ lr: 0 }), { rho }), 40);
    const stepped = await run(sgd({ lr: 1 }), 40);
    const gradient = Object.entries(params).flatMap(([name, { data }]) => [
      ...data.map((v, i) => v - stepped.params[name].data[i]),
    ]);
    const { sharpness = NaN } = reports[0];
    expect(sharpness / (rho * Math.hypot(...gradient))).toBeCloseTo(1, 1);
  });

  it('is told in the steps that climb alone', async () => {
    const told = async (optimizer: Optimizer) =>
      (await run(optimizer, 9)).reports.map((report) => 'sharpness' in report);
    expect(await told(sam(sgd({ lr: 0.1 })))).toEqual([true, true, true, true, true]);
    expect(await told(sam(sgd({ lr: 0.1 }), { every: 2 }))).toEqual([
      true,
      false,
      true,
      false,
      true,
    ]);
    expect(await told(sgd({ lr: 0.1 }))).toEqual([false, false, false, false, false]);
  });

  it('leaves K-FAC its statistics at θ', async () => {
    const plain = await run(kfac({ lr: 0.1 }), 10);
    for (const every of [1, 3]) {
      const { params } = await run(sam(kfac({ lr: 0.1 }), { rho: 0, every }), 10);
      expect(bytesOf(params)).toBe(bytesOf(plain.params));
    }
  });
});
