import type { Graph, Tap, Value } from '../graph/graph.ts';
import type { Age } from '../graph/moment.ts';
import type { TensorType } from '../graph/types.ts';
import type { Init } from '../nn/init.ts';
import type { Report } from './scalars.ts';

/** A tensor being trained. */
export interface Parameter {
  readonly name: string;
  readonly value: Value;
  /** Its place among all trained tensors, by which the status block names it. */
  readonly index: number;
  /** Where it joined a training that had begun. */
  readonly age?: Age;
}

/** A tap with gradients of the batch's mean losses by its pre-activation rows: their second moments add up. */
export interface TapGradients {
  readonly tap: Tap;
  readonly gradients: readonly Value[];
  /** Of its rows in the mean, where they are not all equal: 0 for those that do not count. */
  readonly weights?: Value;
  /** Rows or images of the whole batch, those of its other micro-batches among them. */
  readonly samples: number;
}

/**
 * Labels of the Fisher: drawn from the model's own output, those of the data, or, without drawing, the expectation
 * over all that the output stands for.
 */
export type Fisher = 'true' | 'empirical' | 'exact';

/** The model at the parameters' present values. */
export interface Forward {
  readonly loss: Value;
  /** Of each micro-batch. */
  readonly outputs: readonly Value[];
}

/** A gradient at the parameters' present values. */
export interface Pass {
  /** One for each parameter, in order. */
  readonly grads: readonly Value[];
  /** The scalar it is the gradient of; none where the caller computes it. */
  readonly loss?: Value;
  /** What the rows of the batch weigh together, where that is not known beforehand. */
  readonly mass?: Value;
  /**
   * Shows what K-FAC reads of the layers that it chooses of those that own weights, to a call for each micro-batch, the
   * first of which `begins`. `true` traces an extra backward pass, `exact` one for each output, and where rows interact
   * one for each output of each row; micro-batches go forward once more, so that only one is in memory.
   */
  tapGradients(
    fisher: Fisher,
    choose: (taps: readonly Tap[]) => readonly Tap[],
    show: (tapped: readonly TapGradients[], begins: boolean) => void,
  ): void;
  /** δᵀFδ, F the Fisher here, from the change of the outputs along δ; none where the caller computes gradients. */
  curvature?(after: Forward): Value;
  /**
   * aᵀFb for every pair of directions, a not after b, by the derivative of the outputs along each: tangents of `params`,
   * which must stand where they stood in this pass. None where the caller computes gradients.
   */
  fisherProducts?(
    params: readonly Value[],
    directions: readonly (readonly Value[])[],
  ): readonly Value[];
}

/** What an optimizer is traced with. */
export interface OptimizerTrace {
  readonly graph: Graph;
  readonly params: readonly Parameter[];
  /** The status block, first input of every update. */
  readonly status: Value;
  /** Traces a forward and a backward pass; each call is another pass over the same batch and random numbers. */
  gradient(): Pass;
  /** Traces a forward pass of the same batch and random numbers; `FLATMIN_ARGUMENT` on arrays. */
  forward(): Forward;
  /** A buffer that lasts from step to step and is part of the checkpoint; zeros unless `init` says otherwise. */
  state(name: string, type: TensorType, init?: Init): Value;
  /**
   * Applies the `onNonFinite` policy to gradients, and to the losses they are of: NaN, infinite, or larger than `limits`,
   * one for each.
   */
  checkFinite(grads: readonly Value[], limits?: readonly number[]): void;
  /** Tells users a scalar, one of a tensor where it is named, after each step that computes it. */
  report: Report;
}

/** What is traced into a step: a method with its hyperparameters. */
export interface Traceable {
  /** As errors and checkpoints call it. */
  readonly name: string;
  /** Traces one step; called once when a step is compiled. */
  trace(context: OptimizerTrace): void;
}
