import { type BoundOptimizer, cosine, type Params } from '../../src/index.ts';
import type { Oracle } from './oracles/oracle.ts';
import {
  doubleGrads,
  doubleParams,
  randomGrads,
  randomParams,
  SHAPES,
  type Shapes,
} from './tensors.ts';

export const STEPS = 50;
export const LR = 0.02;

/** A cosine over twice the steps taken, so that no step has the rate 0. */
export const schedule = () => cosine(LR, { steps: 2 * STEPS, min: LR / 10 });

export interface Deviation {
  readonly name: string;
  readonly index: number;
  readonly got: number;
  readonly want: number;
}

/** All elements after STEPS steps from the same start with the same random gradients. */
export function follow(
  bind: (params: Params) => BoundOptimizer,
  oracle: Oracle,
  shapes: Shapes = SHAPES,
): Deviation[] {
  const params = randomParams(shapes);
  const reference = doubleParams(params);
  const optimizer = bind(params);
  const rate = schedule();
  for (let t = 1; t <= STEPS; t++) {
    const grads = randomGrads(t, shapes);
    optimizer.step(grads);
    oracle(reference, doubleGrads(grads), rate({ step: t, epoch: 0 }), t);
  }
  return Object.entries(params).flatMap(([name, { data }]) =>
    Array.from(data, (got, index) => ({ name, index, got, want: reference[name].data[index] })),
  );
}

/** Those that are off by more than 1e-6 and by more than 1e-5 of their value. */
export const outside = (all: readonly Deviation[]): Deviation[] =>
  all.filter(({ got, want }) => {
    const error = Math.abs(got - want);
    return !(error <= 1e-6 || error <= 1e-5 * Math.abs(want));
  });
