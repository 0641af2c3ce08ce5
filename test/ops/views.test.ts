/** Slices, permutations, paddings and joins: the shapes they have, and what they refuse. */
import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/graph/graph.ts';
import { f32, u8 } from '../../src/ops/define.ts';
import * as ops from '../../src/ops/index.ts';

const x = new Graph().stored('x', f32(4, 5, 6));
const bytes = x.graph.stored('bytes', u8(3));

describe('views', () => {
  it('have the shapes of NumPy', () => {
    expect(ops.slice(x, [1, [1, -1], [null, null, -2]]).shape).toEqual([3, 3]);
    expect(ops.slice(x, []).shape).toEqual([4, 5, 6]);
    expect(ops.permute(x, [2, 0, 1]).shape).toEqual([6, 4, 5]);
    expect(ops.transpose(x).shape).toEqual([4, 6, 5]);
    expect(ops.transpose(x, 0, -1).shape).toEqual([6, 5, 4]);
    expect(ops.tile(x, [2, 1, 1, 3]).shape).toEqual([2, 4, 5, 18]);
    expect(ops.repeat(x, 3, -2).shape).toEqual([4, 15, 6]);
    expect(ops.pad(x, [1, [0, 2], 0]).shape).toEqual([6, 7, 6]);
    expect(ops.concat([x, x], -1).shape).toEqual([4, 5, 12]);
    expect(ops.stack([x, x], 1).shape).toEqual([4, 2, 5, 6]);
    expect(ops.split(x, [1, 5], 2).map(({ shape }) => shape[2])).toEqual([1, 5]);
  });

  it('that change nothing are x itself', () => {
    expect(ops.permute(x, [0, 1, 2])).toBe(x);
    expect(ops.broadcastTo(x, [4, 5, 6])).toBe(x);
  });

  it.each([
    [() => ops.slice(x, [4]), 'An index of slice must be a whole number from -4 to 3, got 4'],
    [
      () => ops.slice(x, [[0, 1, 0]]),
      'A range of slice must be an index, [start, stop, step] or null, a step not 0, got [ 0, 1, 0 ]',
    ],
    [() => ops.slice(x, [0, 0, 0, 0]), 'slice has 4 ranges for f32[4, 5, 6]'],
    [
      () => ops.permute(x, [0, 0, 1]),
      'permute expects every dimension of f32[4, 5, 6] once, got [0, 0, 1]',
    ],
    [() => ops.transpose(x, 0, 3), 'transpose has no axis 3 in [4, 5, 6]'],
    [() => ops.broadcastTo(x, [4, 5, 7]), 'broadcastTo cannot make [4, 5, 7] of f32[4, 5, 6]'],
    [() => ops.broadcastTo(x, [6]), 'broadcastTo cannot make [6] of f32[4, 5, 6]'],
    [
      () => ops.broadcastTo(x, [1, 1, 1, 1, 1, 1, 4, 5, 6]),
      'strided takes at most 8 dimensions, got [1, 1, 1, 1, 1, 1, 4, 5, 6]',
    ],
    [() => ops.pad(x, [1]), 'The padding of pad must be a list of 3, one an axis, got [ 1 ]'],
    [() => ops.pad(bytes, [1], 256), 'A value of u8 must be a whole number from 0 to 255, got 256'],
    [
      () => ops.concat([x, ops.slice(x, [null, [0, 4]])]),
      'concat expects [·, 5, 6] of all operands, got [4, 4, 6]',
    ],
    [() => ops.concat([]), 'What concat takes must be a list of at least one traced value, got []'],
    [
      () => ops.split(x, 3),
      'The parts of split must be a divisor of 4 or sizes that add up to it, got 3',
    ],
  ])('%# refuse what does not fit', (call, message) => {
    expect(call).toThrow(message);
  });
});
