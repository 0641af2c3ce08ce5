import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/graph/graph.ts';
import { f32 } from '../../src/ops/define.ts';
import { avgPool2d, maxPool2d, type PoolOptions } from '../../src/ops/pool.ts';

const images = (...shape: number[]) => new Graph().stored('x', f32(...shape));

describe.each([
  ['maxPool2d', maxPool2d],
  ['avgPool2d', avgPool2d],
])('%s', (name, pool) => {
  const error = (shape: number[], options: PoolOptions): string | undefined => {
    try {
      pool(images(...shape), options);
    } catch (e) {
      return (e as Error).message.replace(name, 'pool');
    }
  };

  it('steps by its kernel unless told', () => {
    expect(pool(images(2, 3, 7, 8), { kernel: [2, 3] }).shape).toEqual([2, 3, 3, 2]);
    expect(pool(images(2, 3, 7, 8), { kernel: 3, stride: 2, padding: 1 }).shape).toEqual([
      2, 3, 4, 4,
    ]);
  });

  it('names what does not fit', () => {
    expect(error([1, 1, 2, 4], { kernel: 3 })).toBe(
      'pool with a kernel of 3×3 does not fit an image of 2×4',
    );
    expect(error([1, 1, 4, 4], { kernel: 3, padding: 2 })).toBe(
      'pool expects padding of at most half the kernel, got 2×2 for 3×3',
    );
    expect(error([1, 1, 0, 4], { kernel: 2, padding: 1 })).toBe(
      'pool expects images of at least one pixel, got 0×4',
    );
    expect(error([1, 4, 4], { kernel: 2 })).toBe(
      'pool expects images f32[·, ·, ·, ·], got f32[1, 4, 4]',
    );
    expect(error([1, 1, 4, 4], { kernel: 0 })).toBe(
      'pool expects kernel to be a whole number from 1 on, or two of them [vertical, horizontal], got 0',
    );
  });
});
