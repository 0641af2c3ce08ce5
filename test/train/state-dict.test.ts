import { describe, expect, it } from 'vitest';
import { adamw, fit, kfac, linear, sam, sequential, shampoo, trainStep } from '../../src/index.ts';
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

  it.each([adamw({ lr: 0.1, weightDecay: 0 }), shampoo({ lr: 0.1, beta: 0.9, epsilon: 1e-8 })])(
    'of $name goes into a model with another head, which begins as in a first step',
    (optimizer) => {
      const make = (head: string) =>
        trainStep(sequential({ body: linear(4), [head]: linear(2) }), {
          ...{ input: [2], batch: 10, seed: 4, device, optimizer },
        });
      const first = make('old');
      for (let t = 0; t < 30; t++) first(points, answers);
      const state = first.stateDict();
      const second = make('new');
      const { missing, unexpected } = second.loadStateDict(state, { strict: false });
      expect(missing).toContain('param/new.weight');
      expect(unexpected).toContain('param/old.weight');
      // The same with the old head's values, but no state of its own: a first step of it and the 31st of the body.
      const fresh = make('new');
      const rename = (name: string) => name.replace('old', 'new');
      const values = Object.entries(state).filter(([name]) => name.startsWith('param/'));
      const renamed = Object.fromEntries(values.map(([name, tensor]) => [rename(name), tensor]));
      fresh.loadStateDict(renamed, { strict: false });
      second.loadStateDict(renamed, { strict: false });
      for (const step of [first, second, fresh]) step(points, answers);
      const of = ({ model }: typeof first, name: string) => model.parameters()[name].data;
      expect(of(second, 'body.weight')).toEqual(of(first, 'body.weight'));
      expect(of(second, 'new.weight')).toEqual(of(fresh, 'new.weight'));
      expect(of(second, 'new.weight')).not.toEqual(of(first, 'old.weight'));
      // And on from there, to the bit.
      const third = make('new');
      expect(third.loadStateDict(second.stateDict())).toEqual({ missing: [], unexpected: [] });
      for (const step of [second, third]) step(points, answers);
      expect(bytesOf(third.model.parameters())).toBe(bytesOf(second.model.parameters()));
    },
  );

  it('of a model goes into another', async () => {
    const options = { batch: 10, device, optimizer: adamw({ lr: 0.1 }) };
    const { model } = await fit(network(), { train: circle(30) }, { ...options, epochs: 1 });
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
