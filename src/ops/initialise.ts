import type { Value } from '../graph/graph.ts';
import { packedOrder, packedSize } from '../linalg/packed.ts';
import { forEachWord, toUniform } from '../random/philox.ts';
import { defineOp, expectType } from './define.ts';

const drawUniformOp = defineOp<{
  bound: number;
  stream: number;
  seedSlot: number;
  stepSlot: number;
}>({
  name: 'drawUniform',
  infer: ([x]) => {
    expectType('drawUniform', 'a tensor', x, 'f32');
    return [];
  },
  mutates: true,
  kernel:
    ({ inputs: [x], attrs: { bound, stream, seedSlot, stepSlot } }) =>
    (row) => {
      const source = { seed: row[seedSlot], stream, step: row[stepSlot] };
      forEachWord(source, x.size, (i, word) => {
        x.data[i] = Math.fround((2 * toUniform(word) - 1) * bound);
      });
    },
});

/** x ← U(−bound, bound) by (seed, stream, step, element), the same to the bit on every backend. */
export function drawUniform(x: Value, bound: number, stream: number): void {
  const { seed, step } = x.graph;
  const slots = { seedSlot: seed.index, stepSlot: step.index };
  x.graph.add(drawUniformOp, [x], { bound, stream, ...slots });
}

const setDiagonalOp = defineOp<{ value: number; n: number; packed: number }>({
  name: 'setDiagonal',
  infer: ([x], { n, packed }) => {
    const shape = packed ? [packedSize(n)] : [n, n];
    expectType('setDiagonal', 'matrices', x, 'f32', [
      ...x.shape.slice(0, x.shape.length - shape.length),
      ...shape,
    ]);
    return [];
  },
  mutates: true,
  kernel:
    ({ inputs: [x], attrs: { value, n, packed } }) =>
    () => {
      const elements = packed ? packedSize(n) : n * n;
      for (let i = 0; i < x.size; i += elements) {
        for (let k = 0; k < n; k++) x.data[i + (packed ? (k * (k + 3)) / 2 : k * (n + 1))] = value;
      }
    },
});

/** a_kk ← value of matrices [.., n, n], or [.., n(n + 1)/2] packed; the rest stays. */
export function setDiagonal(x: Value, value: number, { packed = false } = {}): void {
  const last = x.shape[x.shape.length - 1];
  const n = packed ? packedOrder(last) : last;
  x.graph.add(setDiagonalOp, [x], { value, n, packed: Number(packed) });
}
