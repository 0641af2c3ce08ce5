/** Arrays of another realm, as test runners and `vm` contexts make them, are arrays like ours. */
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  adam,
  eigh,
  embedding,
  fit,
  groups,
  kfac,
  linear,
  lstm,
  sequential,
  sgd,
  squaredError,
  tokenCrossEntropy,
  trainStep,
} from '../src/index.ts';
import { present } from './optim/devices.ts';

/** The same value, all made elsewhere. */
function foreign<T>(value: T): T {
  const source = (x: unknown): string => {
    if (ArrayBuffer.isView(x)) return `new ${x.constructor.name}([${Array.from(x as Int8Array)}])`;
    if (Array.isArray(x)) return `[${x.map(source)}]`;
    if (typeof x === 'object' && x !== null) {
      return `({${Object.entries(x).map(([key, of]) => `${JSON.stringify(key)}:${source(of)}`)}})`;
    }
    return JSON.stringify(x);
  };
  return runInNewContext(source(value)) as T;
}

const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1));

describe.each(present)('arrays of another realm on %s', (device) => {
  it('are none of ours', () => {
    expect(foreign(numbers(2)) instanceof Float32Array).toBe(false);
  });

  it('train a bound optimizer in place', async () => {
    const params = () => ({ w: { data: numbers(6), shape: [2, 3] } });
    const grads = { w: numbers(6) };
    const [ours, theirs] = [params(), foreign(params())];
    const [one, other] = [adam(ours, { lr: 0.1, device }), adam(theirs, { lr: 0.1, device })];
    one.step(grads);
    other.step(foreign(grads));
    await one.stepAsync(grads);
    await other.stepAsync(foreign(grads));
    expect([...theirs.w.data]).toEqual([...ours.w.data]);
    other.loadStateDict(foreign(one.stateDict()));
  });

  it('are observed by K-FAC and matched by groups', () => {
    const params = () => ({ 'fc.weight': { data: numbers(6), shape: [2, 3] } });
    const seen = { inputs: numbers(12), outputGrads: numbers(8) };
    const results = [params(), foreign(params())].map((p, i) => {
      const own = <T>(x: T) => (i === 0 ? x : foreign(x));
      const match: RegExp = i === 0 ? /fc/ : runInNewContext('/fc/');
      const optimizer = groups(p, [{ match, optimizer: kfac({ lr: 0.1 }) }] as const, { device });
      optimizer.observe('fc', own(seen));
      optimizer.step(own({ 'fc.weight': numbers(6) }));
      return [...p['fc.weight'].data];
    });
    expect(results[1]).toEqual(results[0]);
  });

  it('are data, batches and inputs of a model', async () => {
    const train = {
      name: 'points',
      synthetic: true,
      inputs: { data: numbers(12), shape: [3] },
      labels: Int32Array.of(0, 1, 0, 1),
      classes: 2,
      count: 4,
    };
    const options = { optimizer: sgd({ lr: 0.1 }), epochs: 1, batch: 2, device };
    const ours = await fit(linear(2), { train }, options);
    const theirs = await fit(linear(2), foreign({ train, test: train }), options);
    expect(theirs.model.parameters()).toEqual(ours.model.parameters());
    expect(theirs.model.predict(foreign(numbers(6)))).toEqual(ours.model.predict(numbers(6)));
    const values = { ...train, targets: { data: numbers(8), shape: [2] } };
    await fit(linear(2), foreign({ train: values }), { ...options, loss: squaredError() });
    const bytes = {
      ...train,
      inputs: { data: Uint8Array.from({ length: 12 }, (_, i) => i), shape: [3] },
    };
    await fit(linear(2), foreign({ train: bytes }), options);
  });

  it('are tokens', async () => {
    const model = sequential(embedding(5, 3), lstm(4), linear(2));
    const common = { input: [3], inputType: 'i32', batch: 2, loss: tokenCrossEntropy() } as const;
    const steps = [0, 1].map(() =>
      trainStep(model, { ...common, optimizer: sgd({ lr: 0.1 }), device }),
    );
    const [tokens, labels] = [Int32Array.of(1, 2, -1, 0, 4, 3), Int32Array.of(1, 0, -1, 0, 1, 1)];
    expect(steps[1](foreign(tokens), foreign(labels))).toBe(steps[0](tokens, labels));
    const again = await steps[1].async(foreign(tokens), foreign(labels));
    expect(again).toBe(steps[0](tokens, labels));
    expect(steps[1].model.predict(foreign(tokens))).toEqual(steps[0].model.predict(tokens));
  });

  it('are matrices', () => {
    const a = { data: Float32Array.of(2, 1, 1, 2), shape: [2, 2] };
    expect(eigh(foreign(a), { device }).values.data).toEqual(eigh(a, { device }).values.data);
  });
});
