import type { Value } from '../graph/graph.ts';
import * as ops from '../ops/index.ts';
import type { Loss } from './loss.ts';

/** What the rows of a batch weigh in a mean. */
export interface Mass {
  /** Of all together, []; a number where they weigh the same, 1 for each example. */
  readonly sum: Value | number;
  /** [rows], each one's part of it; `undefined`: 1/rows. */
  readonly shares: Value | undefined;
}

/** Traces the mass of a batch of `examples` with these targets. */
export function massOf(loss: Loss, targets: Value, examples: number): Mass {
  const weights = loss.weights?.(targets);
  if (weights === undefined) return { sum: examples, shares: undefined };
  const sum = ops.sum(weights);
  return { sum, shares: shareOf(weights, sum) };
}

/** part / whole, 0 where the whole is 0. */
export const shareOf = (part: Value, whole: Value): Value =>
  ops.div(part, ops.add(whole, ops.affine(ops.sign(whole), -1, 1)));
