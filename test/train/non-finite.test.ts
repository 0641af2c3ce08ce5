/** A batch with a NaN in training: what each method does by each policy. */
import { describe, expect, it } from 'vitest';
import {
  adamw,
  FlatminError,
  kfac,
  linear,
  lion,
  type NonFinitePolicy,
  type Optimizer,
  sam,
  sequential,
  sgd,
  shampoo,
  tanh,
  trainStep,
} from '../../src/index.ts';
import { uniforms } from '../../src/random/philox.ts';
import { devices } from '../optim/devices.ts';
import { bytesOf } from '../optim/tensors.ts';

const METHODS: readonly { name: string; make: () => Optimizer }[] = [
  { name: 'sgd', make: () => sgd({ lr: 0.1, momentum: 0.9 }) },
  { name: 'adamw', make: () => adamw({ lr: 0.1 }) },
  { name: 'lion', make: () => lion({ lr: 0.1 }) },
  { name: 'sam', make: () => sam(adamw({ lr: 0.1 })) },
  { name: 'shampoo', make: () => shampoo({ lr: 0.1, momentum: 0.9 }) },
  { name: 'kfac', make: () => kfac({ lr: 0.1, statisticsEvery: 1, inversesEvery: 1 }) },
  { name: 'kfac model', make: () => kfac({ lr: 'model', adaptDamping: true }) },
];

const ROWS = 5;
const labels = Int32Array.from({ length: ROWS }, (_, i) => i % 3);
const inputs = (t: number) => uniforms({ seed: 2, stream: 0, step: t }, ROWS * 4);
const poisoned = () => inputs(9).fill(NaN, 7, 8);

describe.skipIf(devices[1].missing !== null)(`training on ${devices[1].title}`, () => {
  const start = (optimizer: Optimizer, onNonFinite: NonFinitePolicy, device: 'js' | 'cpu') =>
    trainStep(sequential(linear(6), tanh(), linear(3)), {
      optimizer,
      onNonFinite,
      input: [4],
      batch: ROWS,
      device,
    });

  describe.each(METHODS)('by $name', ({ make }) => {
    it.each(['js', 'cpu'] as const)('on %s throws, changing nothing', (device) => {
      const step = start(make(), 'throw', device);
      const other = start(make(), 'throw', device);
      step(inputs(1), labels);
      other(inputs(1), labels);
      const before = bytesOf(step.model.parameters());
      let error: unknown;
      try {
        step(poisoned(), labels);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(FlatminError);
      expect(error).toMatchObject({ code: 'FLATMIN_NUMERICS' });
      expect((error as FlatminError).message).toMatch(
        /^The gradient of "0\.weight" is not finite at step 2\. /,
      );
      expect(bytesOf(step.model.parameters())).toBe(before);
      for (let t = 2; t < 5; t++) expect(step(inputs(t), labels)).toBe(other(inputs(t), labels));
      expect(bytesOf(step.model.parameters())).toBe(bytesOf(other.model.parameters()));
    });

    it.each(['js', 'cpu'] as const)('on %s skips, changing nothing', (device) => {
      const step = start(make(), 'skip', device);
      const before = bytesOf(step.model.parameters());
      expect(step(poisoned(), labels)).toBeNaN();
      expect(bytesOf(step.model.parameters())).toBe(before);
      for (let t = 2; t < 6; t++) expect(step(inputs(t), labels)).toBeGreaterThan(0);
      for (const { data } of Object.values(step.model.parameters())) {
        expect(data.every(Number.isFinite)).toBe(true);
      }
    });
  });

  it('takes no other policy', () => {
    expect(() => start(lion({ lr: 1 }), 'ignore' as never, 'js')).toThrow(
      expect.objectContaining({ code: 'FLATMIN_ARGUMENT' }),
    );
  });
});
