import { checkNames, show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import { sizeOf, type TensorType } from '../graph/types.ts';
import { forEachWord, toUniform } from '../random/philox.ts';
import { defineOp, expectNumbers, expectType, graphOf, u8 } from './define.ts';

type Attrs = { p: number; stream: number; seedSlot: number; stepSlot: number };

/** Which elements are kept: element i is bit i % 8 of byte i >> 3. */
const keptType = (x: TensorType): TensorType => u8(Math.ceil(sizeOf(x.shape) / 8));

const masked = (dy: Value, kept: Value, p: number): Value =>
  dy.graph.add(dropoutGradOp, [dy, kept], { p })[0];

const dropoutOp = defineOp<Attrs>({
  name: 'dropout',
  infer: ([x]) => {
    expectType('dropout', 'its operand', x, 'f32');
    return [x, keptType(x)];
  },
  inPlace: [[0, 0]],
  runs: ({ inputs: [x] }) => x.size,
  gradient: ({ outputs: [, kept], attrs: { p } }, [dy]) => [dy && masked(dy, kept, p)],
  tangent: ({ outputs: [, kept], attrs: { p } }, [dx]) => [dx && masked(dx, kept, p), undefined],
  kernel:
    ({ inputs: [x], outputs: [y, kept], attrs: { p, stream, seedSlot, stepSlot } }) =>
    (row) => {
      const scale = 1 / (1 - p);
      const source = { seed: row[seedSlot], stream, step: row[stepSlot] };
      kept.data.fill(0);
      forEachWord(source, y.size, (i, word) => {
        const isKept = toUniform(word) >= p;
        y.data[i] = x.data[i] * (isKept ? scale : 0);
        if (isKept) kept.data[i >> 3] |= 1 << (i % 8);
      });
    },
});

const dropoutGradOp = defineOp<{ p: number }>({
  name: 'dropoutGrad',
  infer: ([dy, kept]) => {
    expectType('dropoutGrad', 'a gradient', dy, 'f32');
    expectType('dropoutGrad', 'the bits of what is kept', kept, 'u8', keptType(dy).shape);
    return [dy];
  },
  inPlace: [[0, 0]],
  gradient: ({ inputs: [, kept], attrs: { p } }, [ddx]) => [ddx && masked(ddx, kept, p)],
  tangent: ({ inputs: [, kept], attrs: { p } }, [ddy]) => [ddy && masked(ddy, kept, p)],
  kernel:
    ({ inputs: [dy, kept], outputs: [dx], attrs: { p } }) =>
    () => {
      const scale = 1 / (1 - p);
      for (let i = 0; i < dx.size; i++) {
        dx.data[i] = dy.data[i] * ((kept.data[i >> 3] >> (i % 8)) & 1 ? scale : 0);
      }
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
export function dropout(x: Value, options: DropoutOptions): Value {
  graphOf('dropout', x);
  checkNames<DropoutOptions>('dropout', options, { p: true, stream: true });
  const { p, stream } = options;
  checkProbability(p);
  expectNumbers('dropout', { stream });
  if (p === 0) return x;
  const { seed, step } = x.graph;
  return x.graph.add(dropoutOp, [x], { p, stream, seedSlot: seed.index, stepSlot: step.index })[0];
}

/** Throws unless `p` can be that of an element that is dropped. */
export function checkProbability(p: unknown): void {
  if (typeof p === 'number' && p >= 0 && p < 1) return;
  throw new FlatminError('FLATMIN_ARGUMENT', `dropout expects 0 ≤ p < 1, got ${show(p)}`);
}
