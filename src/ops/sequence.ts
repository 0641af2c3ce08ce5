import type { Value } from '../graph/graph.ts';
import { defineOp, expectType, f32, graphOf, i32 } from './define.ts';
import { gather } from './gather.ts';
import { reshape } from './reshape.ts';

const lengthsOp = defineOp({
  name: 'lengths',
  infer: ([tokens]) => {
    expectType('lengths', 'tokens', tokens, 'i32', [null, null]);
    return [i32(tokens.shape[0])];
  },
  kernel: ({ inputs: [tokens], outputs: [y] }) => {
    const [rows, steps] = tokens.shape;
    return () => {
      for (let r = 0; r < rows; r++) {
        let length = steps;
        while (length > 0 && tokens.data[r * steps + length - 1] === -1) length -= 1;
        y.data[r] = length;
      }
    };
  },
});

/** Steps of each row before its padding: tokens i32 [batch, steps], −1 from a row's end on → i32 [batch]. */
export const lengths = (tokens: Value): Value =>
  graphOf('lengths', tokens).add(lengthsOp, [tokens], {})[0];

const rowWeightsOp = defineOp({
  name: 'rowWeights',
  infer: ([labels]) => {
    expectType('rowWeights', 'labels', labels, 'i32', [null]);
    return [f32(...labels.shape)];
  },
  kernel:
    ({ inputs: [labels], outputs: [y] }) =>
    () => {
      for (let r = 0; r < labels.size; r++) y.data[r] = labels.data[r] === -1 ? 0 : 1;
    },
});

/** Whether each row counts: labels i32 [rows] → [rows], 0 where the label is −1, 1 elsewhere. */
export const rowWeights = (labels: Value): Value => labels.graph.add(rowWeightsOp, [labels], {})[0];

const previousStepsOp = defineOp<{ reverse: number }>({
  name: 'previousSteps',
  infer: ([x]) => {
    expectType('previousSteps', 'its operand', x, 'f32', [null, null, null]);
    return [x];
  },
  runs: ({ inputs: [x] }) => x.shape[0],
  kernel: ({ inputs: [x], outputs: [y], attrs: { reverse } }) => {
    const [batch, steps, width] = x.shape;
    const size = steps * width;
    const rest = Math.max(0, size - width);
    return () => {
      for (let b = 0; b < batch; b++) {
        const row = x.data.subarray(b * size, (b + 1) * size);
        const shifted = y.data.subarray(b * size, (b + 1) * size);
        shifted.set(
          row.subarray(reverse ? size - rest : 0, reverse ? size : rest),
          reverse ? 0 : size - rest,
        );
        if (reverse) shifted.fill(0, rest);
        else shifted.fill(0, 0, size - rest);
      }
    };
  },
});

/**
 * x [batch, steps, width] one step later: y_t = x_{t−1}, y_0 = 0. In reverse one step earlier: y_t = x_{t+1}, 0 at the end;
 * of what is 0 past a row's end that is the step before in the row's own reverse.
 */
export const previousSteps = (x: Value, { reverse }: { readonly reverse: number }): Value =>
  x.graph.add(previousStepsOp, [x], { reverse })[0];

const lastRowsOp = defineOp<{ batch: number; steps: number; reverse: number }>({
  name: 'lastRows',
  infer: ([lengths], { batch }) => {
    if (lengths !== undefined) expectType('lastRows', 'lengths', lengths, 'i32', [batch]);
    return [i32(batch)];
  },
  kernel:
    ({ inputs: [lengths], outputs: [y], attrs: { steps, reverse } }) =>
    () => {
      for (let b = 0; b < y.size; b++) {
        const length = Math.min(steps, lengths?.data[b] ?? steps);
        y.data[b] = b * steps + (reverse ? 0 : Math.max(0, length - 1));
      }
    },
});

/** The last step of each row, in reverse its first: x [batch, steps, width], lengths i32 [batch] → [batch, width]. */
export function lastStep(x: Value, { lengths, reverse }: LastOptions): Value {
  const [batch, steps, width] = x.shape;
  const ends = lengths === undefined ? [] : [lengths];
  const [last] = x.graph.add(lastRowsOp, ends, { batch, steps, reverse: Number(reverse) });
  return gather(reshape(x, [-1, width]), last);
}

interface LastOptions {
  /** Rows are whole without. */
  readonly lengths: Value | undefined;
  readonly reverse: boolean;
}
