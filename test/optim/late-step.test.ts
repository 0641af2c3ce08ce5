import { describe, expect, it } from 'vitest';
import {
  kfac,
  linear,
  type Optimizer,
  sam,
  sequential,
  sgd,
  shampoo,
  soap,
  trainStep,
} from '../../src/index.ts';
import { present } from './devices.ts';

/** Methods that do something in some steps only, which a late step must not have to look for from the first on. */
const METHODS: readonly Optimizer[] = [
  shampoo({ lr: 0.1, rootsEvery: 7, statisticsEvery: 2, startStep: 3 }),
  soap({ lr: 0.1 }),
  kfac({ lr: 0.1 }),
  sam(sgd({ lr: 0.1 }), { every: 5, between: 'look' }),
];

describe.each(present)('a state of two thousand million steps on %s', (device) => {
  it.each(METHODS)('goes on at once: $name', (optimizer) => {
    const make = () =>
      trainStep(sequential(linear(3)), { optimizer, input: [2], batch: 2, device });
    const step = make();
    const inputs = Float32Array.of(1, 2, -1, 0.5);
    const labels = Int32Array.of(0, 2);
    step(inputs, labels);
    const late = make();
    late.loadStateDict({ ...step.stateDict(), step: { data: Int32Array.of(2e9), shape: [1] } });
    const began = performance.now();
    for (let i = 0; i < 20; i++) expect(late(inputs, labels)).toBeGreaterThan(0);
    expect(performance.now() - began).toBeLessThan(5000);
    expect([...late.stateDict().step.data]).toEqual([2e9 + 20]);
  });
});
