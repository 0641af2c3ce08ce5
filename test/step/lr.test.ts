/** The learning rate of a step, read and set between steps of a loop of one's own. */
import { describe, expect, it } from 'vitest';
import { cosine, groups, linear, type Rate, sam, sgd, trainStep } from '../../src/index.ts';
import { devices } from '../optim/devices.ts';

const params = () => ({ w: { data: Float32Array.of(1, 2), shape: [2] } });
const grads = { w: Float32Array.of(1, -1) };

describe.each(devices)('lr on $title', ({ device, missing }) => {
  it.skipIf(missing !== null)('of a bound optimizer', () => {
    const own = params();
    const optimizer = sgd(own, { lr: 0.5, device });
    expect(optimizer.lr).toBe(0.5);
    optimizer.lr = 0.25;
    expect(optimizer.lr).toBe(0.25);
    optimizer.step(grads);
    expect([...own.w.data]).toEqual([0.75, 2.25]);
    optimizer.lr = undefined;
    optimizer.step(grads);
    expect([...own.w.data]).toEqual([0.25, 2.75]);
  });

  it.skipIf(missing !== null)('with schedules, which count on', () => {
    const optimizer = sgd(params(), { lr: cosine(1, { steps: 2 }), device });
    expect(optimizer.lr).toBe(1);
    optimizer.step(grads);
    expect(optimizer.lr).toBeCloseTo(0.5, 12);
    optimizer.lr = cosine(4, { steps: 4 });
    expect(optimizer.lr).toBeCloseTo(2 + 2 * Math.cos(Math.PI / 4), 12);
    optimizer.lr = cosine(1, { epochs: 2 });
    expect(() => optimizer.lr).toThrow('no epoch was set');
    optimizer.epoch = 1;
    expect(optimizer.lr).toBeCloseTo(0.5, 12);
  });

  it.skipIf(missing !== null)('of a compiled step, wrapped or not', async () => {
    const options = { input: [2], batch: 1, device } as const;
    const lrs: Rate[] = [0.5, 0.1, () => 0.2].map((rate) => rate as Rate);
    for (const over of [sgd, (o: { lr: number }) => sam(sgd(o), {})]) {
      const one = trainStep(linear(2), { ...options, optimizer: over({ lr: 9 }) });
      for (const lr of lrs) {
        const other = trainStep(linear(2), { ...options, optimizer: over({ lr: lr as number }) });
        other.loadStateDict(one.stateDict());
        one.lr = lr;
        expect(one.lr).toBe(other.lr);
        await Promise.all(
          [one, other].map((s) => s.async(Float32Array.of(1, 2), Int32Array.of(1))),
        );
        expect(one.model.parameters()).toEqual(other.model.parameters());
      }
    }
  });

  it.skipIf(missing !== null)('of groups that differ is none, and cannot be set', () => {
    const own = { ...params(), v: params().w };
    const of = (lr: number) => ({ match: /w/, optimizer: sgd({ lr }) });
    const different = groups(own, [of(1), { optimizer: sgd({ lr: 2 }) }], { device });
    expect(different.lr).toBeUndefined();
    expect(() => {
      different.lr = 1;
    }).toThrow('lr cannot be set where groups step with rates that differ');
    const same = groups(own, [of(2), { optimizer: sgd({ lr: 2 }) }], { device });
    same.lr = 1;
    expect(same.lr).toBe(1);
  });

  it.skipIf(missing !== null)('refuses what is no rate', () => {
    const optimizer = sgd(params(), { lr: 1, device });
    for (const bad of [-1, NaN, '0.1', null, {}]) {
      expect(() => Object.assign(optimizer, { lr: bad })).toThrow(
        'lr must be a finite number of at least 0 or a schedule, got',
      );
    }
    optimizer.lr = (() => -1) as never;
    expect(() => optimizer.step(grads)).toThrow('The schedule must give a finite number');
  });
});
