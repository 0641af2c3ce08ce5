import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/autodiff/gradients.ts';
import { compile } from '../../src/graph/compile.ts';
import { Graph } from '../../src/graph/graph.ts';
import { type Conv2dOptions, conv2d } from '../../src/ops/conv2d.ts';
import { f32 } from '../../src/ops/define.ts';
import { sum } from '../../src/ops/reduce.ts';

function trace(x: number[], weight: number[], options: Conv2dOptions = {}, bias?: number) {
  const graph = new Graph();
  const images = graph.stored('x', f32(...x));
  const w = graph.stored('w', f32(...weight));
  const b = bias === undefined ? undefined : graph.stored('b', f32(bias));
  return { images, w, b, y: conv2d(images, w, b, options) };
}

describe('conv2d', () => {
  it('infers the output of stride, padding and groups', () => {
    const { y } = trace([7, 4, 9, 12], [6, 2, 3, 5], {
      stride: [2, 3],
      padding: [1, 2],
      groups: 2,
    });
    expect(y.shape).toEqual([7, 6, 5, 4]);
  });

  it('names what does not fit', () => {
    const error = (...args: Parameters<typeof trace>) => {
      try {
        trace(...args);
      } catch (e) {
        return (e as Error).message;
      }
    };
    expect(error([1, 3, 4, 4], [2, 3, 5, 3])).toMatchInlineSnapshot(
      `"conv2d with a kernel of 5×3 does not fit an image of 4×4"`,
    );
    expect(error([1, 3, 2, 4], [2, 3, 5, 3], { padding: [1, 0] })).toMatchInlineSnapshot(
      `"conv2d with a kernel of 5×3 does not fit an image of 2×4, 4×4 with its padding"`,
    );
    expect(error([1, 3, 4, 4], [2, 3, 0, 3])).toMatchInlineSnapshot(
      `"conv2d expects a kernel of at least 1×1, got 0×3"`,
    );
    expect(error([1, 3, 4, 4], [4, 1, 3, 3], { groups: 2 })).toMatchInlineSnapshot(
      `"conv2d cannot divide 3 input and 4 output channels into 2 groups"`,
    );
    expect(error([1, 3, 4, 4], [4, 1, 3, 3])).toMatchInlineSnapshot(
      `"conv2d expects a weight [out, 3, kh, kw] for 3 channels, got f32[4, 1, 3, 3]"`,
    );
    expect(error([1, 4, 4, 4], [4, 4, 3, 3], { groups: 2 })).toMatchInlineSnapshot(
      `"conv2d expects a weight [out, 2, kh, kw] for 4 channels in 2 groups, got f32[4, 4, 3, 3]"`,
    );
    expect(error([3, 4, 4], [4, 4, 3, 3])).toMatchInlineSnapshot(
      `"conv2d expects images f32[·, ·, ·, ·], got f32[3, 4, 4]"`,
    );
    expect(error([1, 3, 4, 4], [4, 3, 3, 3], {}, 3)).toMatchInlineSnapshot(
      `"conv2d expects a bias f32[4], got f32[3]"`,
    );
    expect(error([1, 3, 4, 4], [4, 3, 3, 3], { stride: 0 })).toMatchInlineSnapshot(
      `"conv2d expects stride to be a whole number from 1 on, or two of them [vertical, horizontal], got 0"`,
    );
    expect(error([1, 3, 4, 4], [4, 3, 3, 3], { padding: [1, -1] })).toMatchInlineSnapshot(
      `"conv2d expects padding to be a whole number from 0 on, or two of them [vertical, horizontal], got [ 1, -1 ]"`,
    );
    expect(error([1, 3, 4, 4], [4, 3, 3, 3], { groups: 1.5 })).toMatchInlineSnapshot(
      `"conv2d expects groups to be a whole number from 1 on, got 1.5"`,
    );
  });

  it('shows its tap', () => {
    const { images, w, b, y } = trace([2, 1, 5, 5], [3, 1, 3, 3], { padding: 1 }, 3);
    const { node } = y;
    expect(node?.op.tap?.(node)).toEqual({
      kind: 'conv2d',
      input: images,
      preActivation: y,
      weight: w,
      bias: b,
      attrs: { stride: [1, 1], padding: [1, 1], groups: 1 },
    });
  });

  it('does not compute the gradient of images that nobody asked for', () => {
    const { w, b, y } = trace([2, 1, 5, 5], [3, 1, 3, 3], {}, 3);
    const reports = gradients(sum(y), [w, ...(b === undefined ? [] : [b])]).flatMap((g) => g ?? []);
    const { instructions } = compile(y.graph, { reports }).spec;
    const names = instructions.map(({ op }) => op);
    expect(names).toContain('conv2dGradWeight');
    expect(names).not.toContain('conv2dGradInput');
  });
});
