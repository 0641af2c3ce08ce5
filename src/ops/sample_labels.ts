import type { Value } from '../graph/graph.ts';
import { showType } from '../graph/types.ts';
import { forEachWord, STREAM, toUniform } from '../random/philox.ts';
import { defineOp, expectType, shapeError } from './define.ts';

const sampleLabelsOp = defineOp<{ stream: number; seedSlot: number; stepSlot: number }>({
  name: 'sampleLabels',
  infer: ([probabilities]) => {
    expectType('sampleLabels', 'probabilities', probabilities, 'f32', [null, null]);
    const [rows, classes] = probabilities.shape;
    if (classes === 0) {
      throw shapeError(`sampleLabels expects at least one class, got ${showType(probabilities)}`);
    }
    return [{ dtype: 'i32', shape: [rows] }];
  },
  kernel: ({ inputs: [probabilities], outputs: [labels], attrs }) => {
    const [rows, classes] = probabilities.shape;
    const { stream, seedSlot, stepSlot } = attrs;
    return (row) => {
      const source = { seed: row[seedSlot], stream, step: row[stepSlot] };
      forEachWord(source, rows, (r, word) => {
        const u = toUniform(word);
        let cumulative = 0;
        // Where rounding keeps the sum below u, the last class that is possible at all.
        let label = 0;
        for (let c = 0; c < classes && !(cumulative > u); c++) {
          const probability = probabilities.data[r * classes + c];
          cumulative += probability;
          if (probability > 0) label = c;
        }
        labels.data[r] = label;
      });
    };
  },
});

/**
 * Draws a label for each row of probabilities [rows, classes] → i32 [rows]: the first class whose
 * cumulative probability exceeds uniform(seed, step, row). A row of NaN gives 0.
 */
export function sampleLabels(probabilities: Value): Value {
  const { seed, step } = probabilities.graph;
  const attrs = { stream: STREAM.labels, seedSlot: seed.index, stepSlot: step.index };
  return probabilities.graph.add(sampleLabelsOp, [probabilities], attrs)[0];
}
