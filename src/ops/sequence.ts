import type { Value } from '../graph/graph.ts';
import { defineOp, expectType, f32, graphOf, i32 } from './define.ts';

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

const previousStepsOp = defineOp({
  name: 'previousSteps',
  infer: ([x]) => {
    expectType('previousSteps', 'its operand', x, 'f32', [null, null, null]);
    return [x];
  },
  runs: ({ inputs: [x] }) => x.shape[0],
  kernel: ({ inputs: [x], outputs: [y] }) => {
    const [batch, steps, width] = x.shape;
    const size = steps * width;
    return () => {
      for (let b = 0; b < batch; b++) {
        const row = x.data.subarray(b * size, (b + 1) * size);
        const shifted = y.data.subarray(b * size, (b + 1) * size);
        shifted.set(row.subarray(0, Math.max(0, size - width)), Math.min(width, size));
        shifted.fill(0, 0, width);
      }
    };
  },
});

/** x [batch, steps, width] one step later: y_t = x_{t−1}, y_0 = 0. */
export const previousSteps = (x: Value): Value => x.graph.add(previousStepsOp, [x], {})[0];
