import { describe, expect, it } from 'vitest';
import { adamw, fit, kfac, linear, sam, sequential, trainStep } from '../../src/index.ts';
import { present } from '../optim/devices.ts';
import { bytesOf } from '../optim/tensors.ts';
import { circle, network } from './task.ts';

describe.each(present)('state on %s', (device) => {
  const { inputs, labels } = circle(10);
  const points = Float32Array.from(inputs.data);
  const answers = Int32Array.from(labels);

  it.each([
    sam(adamw({ lr: 0.01 }), { every: 3, between: 'look' }),
    kfac({ lr: 'model', adaptDamping: true, statisticsEvery: 3, inversesEvery: 4 }),
  ])('of a step by $name carries on to the bit', (optimizer) => {
    const make = () =>
      trainStep(network(0.5), { input: [2], batch: 10, seed: 4, device, optimizer });
    const first = make();
    for (let t = 0; t < 5; t++) first(points, answers);
    const second = make();
    expect(second.loadStateDict(first.stateDict())).toEqual({ missing: [], unexpected: [] });
    for (let t = 0; t < 5; t++) {
      expect(second(points, answers)).toBe(first(points, answers));
    }
    expect(bytesOf(second.model.parameters())).toBe(bytesOf(first.model.parameters()));
    expect(second.stateDict()).toEqual(first.stateDict());
  });

  it('of a model goes into another', async () => {
    const options = { epochs: 1, batch: 10, device, optimizer: adamw({ lr: 0.1 }) };
    const { model } = await fit(network(), { train: circle(30) }, options);
    const other = trainStep(network(), { ...options, input: [2], seed: 9 }).model;
    const before = other.predict(points).data;
    other.loadStateDict(model.stateDict());
    expect(other.predict(points)).toEqual(model.predict(points));
    expect(other.predict(points).data).not.toEqual(before);
    expect(model.stateDict()).toEqual(model.parameters());
  });

  it('of a model of other layers is refused', () => {
    const options = { input: [2], batch: 10, device, optimizer: adamw({ lr: 0.1 }) };
    const { model } = trainStep(network(), options);
    const other = trainStep(sequential(linear(3), linear(2)), options).model;
    const before = bytesOf(other.parameters());
    expect(() => other.loadStateDict(model.stateDict())).toThrowErrorMatchingInlineSnapshot(
      `[FlatminError: The state does not fit: "1.weight" is missing; "1.bias" is missing; "3.weight" is unexpected; "3.bias" is unexpected; "0.weight" has shape [8, 2], not [3, 2]; "0.bias" has shape [8], not [3]]`,
    );
    expect(bytesOf(other.parameters())).toBe(before);
  });
});
