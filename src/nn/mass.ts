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

/** What a batch is judged by. */
export interface Judged {
  readonly targets: Value;
  /** Of the dataset, one an example. */
  readonly weights?: Value;
}

/** Traces the mass of a batch of so many examples. */
export function massOf(loss: Loss, { targets, weights }: Judged, examples: number): Mass {
  const own = loss.weights?.(targets);
  const all =
    weights === undefined ? own : eachRow(weights, own ?? onesFor(loss, targets, examples));
  if (all === undefined) return { sum: examples, shares: undefined };
  const sum = ops.sum(all);
  return { sum, shares: shareOf(all, sum) };
}

/** What rows of a loss weigh, [rows], times what their examples do, of which each has as many rows. */
const eachRow = (examples: Value, rows: Value): Value =>
  ops.reshape(
    ops.mul(ops.reshape(examples, [-1, 1]), ops.reshape(rows, [examples.size, -1])),
    [-1],
  );

/** 1 for each row of a loss: an example where targets are numbers, else a label. */
const onesFor = ({ targets: kind }: Loss, { graph, size }: Value, examples: number): Value =>
  ops.fill(graph, [kind === 'values' ? examples : size], 1);

/** part / whole, 0 where the whole is 0. */
export const shareOf = (part: Value, whole: Value): Value =>
  ops.div(part, ops.add(whole, ops.affine(ops.sign(whole), -1, 1)));
