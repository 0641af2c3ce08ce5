/** A method's case: how it is made, and the float64 oracle that it is compared with. Oracle files declare theirs. */
import { cosine, type Optimizer } from '../../src/index.ts';
import type { LayerRows } from '../optim/oracles/network.ts';
import type { Oracle, Tensors64 } from '../optim/oracles/oracle.ts';
import type { Problem } from './problems.ts';

/** Takes step t (from 1) of a method in doubles, in place. */
export type Reference = (params: Tensors64, problem: Problem, lr: number, t: number) => void;

export interface Method {
  readonly name: string;
  readonly make: () => Optimizer;
  readonly reference: () => Reference;
  /** Takes gradients, or a closure for several. Default `gradients`. */
  readonly asks?: 'gradients' | 'closure';
  /** What its layers show on arrays before step t, where they show something. */
  readonly shows?: (problem: Problem, params: Tensors64, t: number) => readonly LayerRows[][];
  /** Of the relative error. Default 1e-5. */
  readonly tolerance?: number;
}

export const STEPS = 6;
/** A cosine over twice the steps taken, so that no step has the rate 0. */
export const rate = () => cosine(0.02, { steps: 2 * STEPS, min: 0.002 });

export const lr = rate();
export const DECAY = { weightDecay: 0.1 };
/** ε above the rounding of the directions in which a gradient is nearly 0. */
export const eps = 1e-4;

/** A method that steps from one gradient. */
export const plain = (name: string, make: () => Optimizer, oracle: () => Oracle): Method => ({
  name,
  make,
  reference: () => {
    const step = oracle();
    return (params, problem, lr, t) => step(params, problem.gradient(params), lr, t);
  },
});
