import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { forEachWord, toUniform } from '../random/philox.ts';
import { defineOp, expectType } from './define.ts';

const dropoutOp = defineOp<{ p: number; stream: number; seedSlot: number; stepSlot: number }>({
  name: 'dropout',
  infer: ([x]) => {
    expectType('dropout', 'its operand', x, 'f32');
    return [x];
  },
  inPlace: [[0, 0]],
  // The same draws give the same mask, so none is stored.
  gradient: ({ attrs }, [dy]) => [dy && dropout(dy, attrs)],
  tangent: ({ attrs }, [dx]) => [dx && dropout(dx, attrs)],
  kernel:
    ({ inputs: [x], outputs: [y], attrs: { p, stream, seedSlot, stepSlot } }) =>
    (row) => {
      const scale = 1 / (1 - p);
      const source = { seed: row[seedSlot], stream, step: row[stepSlot] };
      forEachWord(source, y.size, (i, word) => {
        y.data[i] = x.data[i] * (toUniform(word) >= p ? scale : 0);
      });
    },
});

export interface DropoutOptions {
  /** Probability of a zero, in [0, 1). */
  readonly p: number;
  /** Stream of the random numbers: layers with the same stream draw the same mask. */
  readonly stream: number;
}

/**
 * x · mask / (1 − p), mask 1 where uniform(seed, stream, step, element) ≥ p and 0 elsewhere
 * (Srivastava et al. 2014). NaN and infinite elements that are dropped become NaN.
 */
export function dropout(x: Value, { p, stream }: DropoutOptions): Value {
  if (!(p >= 0 && p < 1)) {
    throw new FlatminError('FLATMIN_ARGUMENT', `dropout expects 0 ≤ p < 1, got ${p}`);
  }
  if (p === 0) return x;
  const { seed, step } = x.graph;
  return x.graph.add(dropoutOp, [x], { p, stream, seedSlot: seed.index, stepSlot: step.index })[0];
}
