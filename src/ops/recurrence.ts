/** What the recurrences over sequences [batch, steps, …] have in common. */
import { checkBoolean, checkNames } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import type { Numbers, Operand } from '../graph/kernel.ts';
import type { Shape } from '../graph/types.ts';
import { mul } from './binary.ts';
import { stack } from './concat.ts';
import { graphOf } from './define.ts';
import { affine } from './elementwise.ts';
import { fill } from './fill.ts';
import { oneHot } from './one_hot.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';
import { slice } from './views.ts';

export interface SequenceOptions {
  /** Steps of each row, i32 [batch]; outputs past them are 0. Default: all steps. */
  readonly lengths?: Value | undefined;
  /** Whether a row is read from its last step to its first; each output stands where its input does. Default false. */
  readonly reverse?: boolean;
}

/** What becomes of them: further operands and attributes. */
export function sequenceOf(
  op: string,
  x: Value,
  options: SequenceOptions,
): { ends: readonly Value[]; attrs: { reverse: number } } {
  checkNames<SequenceOptions>(op, options, { lengths: true, reverse: true });
  const { lengths, reverse = false } = options;
  const ends = lengths === undefined ? [] : [lengths];
  graphOf(op, x, ...ends);
  return { ends, attrs: { reverse: Number(checkBoolean(`reverse of ${op}`, reverse)) } };
}

/** Steps as rows: x [batch, steps, width] → [batch · steps, width]. */
export const rows = (x: Value): Value => reshape(x, [-1, x.shape[2]]);

interface Walk {
  readonly lengths: Operand | undefined;
  readonly reverse: number;
  /** From the last step of the recurrence to its first. */
  readonly backwards?: boolean;
}

/**
 * body(at, before) for the steps of every row: where the step stands among batch · steps, and where the one before it in
 * the recurrence does, −1 for a row's first. Outputs [batch, steps, …] past a row's end are 0.
 */
export function forSteps(
  [batch, steps]: Shape,
  { lengths, reverse, backwards = false }: Walk,
  outputs: readonly Operand[],
  body: (at: number, before: number) => void,
): void {
  for (let b = 0; b < batch; b++) {
    const length = Math.max(0, Math.min(steps, lengths?.data[b] ?? steps));
    for (const { data, size } of outputs) {
      const each = size / batch / steps;
      data.fill(0, (b * steps + length) * each, (b + 1) * steps * each);
    }
    for (let k = 0; k < length; k++) {
      const own = backwards ? length - 1 - k : k;
      const at = b * steps + (reverse ? length - 1 - own : own);
      body(at, own === 0 ? -1 : at + (reverse ? 1 : -1));
    }
  }
}

/** Row `row` of a weight times x of a step; 0 where there is none. */
export function rowTimes(weight: Operand, row: number, x: Numbers, at: number): number {
  const width = weight.shape[1];
  let sum = 0;
  if (at === -1) return sum;
  for (let p = 0; p < width; p++) sum += weight.data[row * width + p] * x[at * width + p];
  return sum;
}

/** out ← Wᵀ x of a step. */
export function timesColumns(weight: Operand, x: Numbers, at: number, out: Float64Array): void {
  const [count, width] = weight.shape;
  out.fill(0);
  for (let k = 0; k < count; k++) {
    const part = x[at * count + k];
    for (let j = 0; j < width; j++) out[j] += part * weight.data[k * width + j];
  }
}

/**
 * Traces a recurrence over z [batch, steps, …] by a function of a step's z and what the step before it put out, [batch, …]
 * each, zeros at first and past a row's end; the first is the output, [batch, steps, …]. Lengths are from 0 on.
 */
export function unrolled(
  z: Value,
  { lengths, reverse = false }: SequenceOptions,
  widths: readonly number[],
  step: (z: Value, before: readonly Value[]) => readonly Value[],
): Value {
  const { graph } = z;
  const [batch, steps] = z.shape;
  // 1 in the column of each row's length, where that is short of all steps.
  const ends = lengths && oneHot(lengths, steps);
  const outputs: Value[] = [];
  let state: readonly Value[] = widths.map((width) => fill(graph, [batch, width], 0));
  for (let k = 0; k < steps; k++) {
    const at = reverse ? steps - 1 - k : k;
    const ended = ends && sum(slice(ends, [null, [0, at + 1]]), [1], { keepDims: true });
    const going = ended && affine(ended, -1, 1);
    const next = step(slice(z, [null, at]), state);
    state = going === undefined ? next : next.map((x) => mul(x, going));
    outputs[at] = state[0];
  }
  return steps === 0 ? fill(graph, [batch, 0, widths[0]], 0) : stack(outputs, 1);
}
