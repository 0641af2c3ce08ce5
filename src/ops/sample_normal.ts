import type { Value } from '../graph/graph.ts';
import { forEachNormal, STREAM } from '../random/philox.ts';
import { defineOp, expectType } from './define.ts';

const sampleNormalOp = defineOp<{ stream: number; seedSlot: number; stepSlot: number }>({
  name: 'sampleNormal',
  infer: ([mean]) => {
    expectType('sampleNormal', 'means', mean, 'f32');
    return [mean];
  },
  // What is drawn counts as given, as labels do.
  gradient: () => [undefined],
  kernel:
    ({ inputs: [mean], outputs: [y], attrs: { stream, seedSlot, stepSlot } }) =>
    (row) => {
      const source = { seed: row[seedSlot], stream, step: row[stepSlot] };
      forEachNormal(source, y.size, (i, z) => {
        y.data[i] = mean.data[i] + z;
      });
    },
});

/** Draws from N(mean, I), alike in shape: mean + normal(seed, step, element). */
export function sampleNormal(mean: Value): Value {
  const { seed, step } = mean.graph;
  const attrs = { stream: STREAM.labels, seedSlot: seed.index, stepSlot: step.index };
  return mean.graph.add(sampleNormalOp, [mean], attrs)[0];
}
