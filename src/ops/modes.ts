import type { Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { type Attrs, sizeOf } from '../graph/types.ts';
import { gemm } from '../linalg/gemm.ts';
import { forLower, packedSize } from '../linalg/packed.ts';
import { defineOp, expectType, shapeError } from './define.ts';
import { standsStill } from './status.ts';

/** Tensors, one after the other, seen along one of their dimensions: [count, outer, dim, inner]. */
export interface Mode {
  readonly count: number;
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
}

interface ModeAttrs extends Mode, Attrs {
  readonly count: number;
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
}

/** Slice o of tensor t as a dim × inner matrix. */
const slice = ({ data }: { data: Numbers }, { outer, dim, inner }: Mode, t: number, o: number) => ({
  data,
  offset: (t * outer + o) * dim * inner,
  rowStride: inner,
  colStride: 1,
});

const transpose = <M extends { rowStride: number; colStride: number }>(m: M): M => ({
  ...m,
  rowStride: m.colStride,
  colStride: m.rowStride,
});

const modeGramOp = defineOp<ModeAttrs & { decay: number; scale: number }>({
  name: 'modeGram',
  infer: ([status, statistics, g], { count, outer, dim, inner }) => {
    expectType('modeGram', 'a status block', status, 'i32', [8]);
    expectType('modeGram', 'statistics', statistics, 'f32', [count, packedSize(dim)]);
    expectType('modeGram', 'gradients', g, 'f32');
    if (sizeOf(g.shape) !== count * outer * dim * inner) {
      throw shapeError(
        `modeGram cannot see [${g.shape.join(', ')}] as [${count}, ${outer}, ${dim}, ${inner}]`,
      );
    }
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, statistics, g], attrs }) => {
    const { count, outer, dim, inner, decay, scale } = attrs;
    const gram = new Float64Array(dim * dim);
    return () => {
      if (standsStill(status)) return;
      for (let t = 0; t < count; t++) {
        gram.fill(0);
        for (let o = 0; o < outer; o++) {
          const a = slice(g, attrs, t, o);
          gemm(
            dim,
            dim,
            inner,
            a,
            transpose(a),
            { data: gram, offset: 0, ld: dim },
            { accumulate: true },
          );
        }
        const statistic = statistics.data.subarray(t * packedSize(dim), (t + 1) * packedSize(dim));
        forLower(dim, (at, r, c) => {
          statistic[at] = decay * statistic[at] + scale * gram[r * dim + c];
        });
      }
    };
  },
});

/**
 * statistic ← decay · statistic + scale · Σ G Gᵀ over the mode's slices G, for each tensor its own [dim, dim] of
 * `statistics`; a no-op while the status block is set.
 */
export function modeGram(
  status: Value,
  statistics: Value,
  g: Value,
  { count, outer, dim, inner }: Mode,
  { decay, scale }: { decay: number; scale: number },
): void {
  g.graph.add(modeGramOp, [status, statistics, g], { count, outer, dim, inner, decay, scale });
}

const modeApplyOp = defineOp<ModeAttrs & { transposed: number }>({
  name: 'modeApply',
  infer: ([matrices, x], { count, dim }) => {
    expectType('modeApply', 'matrices', matrices, 'f32', [count, dim, dim]);
    return [x];
  },
  kernel: ({ inputs: [matrices, x], outputs: [y], attrs }) => {
    const { count, outer, dim, inner, transposed } = attrs;
    return () => {
      for (let t = 0; t < count; t++) {
        const p = { data: matrices.data, offset: t * dim * dim, rowStride: dim, colStride: 1 };
        for (let o = 0; o < outer; o++) {
          const out = { data: y.data, offset: (t * outer + o) * dim * inner, ld: inner };
          gemm(dim, inner, dim, transposed ? transpose(p) : p, slice(x, attrs, t, o), out);
        }
      }
    };
  },
});

/** Every slice of the mode multiplied from the left by its tensor's P of `matrices` [count, dim, dim], or by Pᵀ. */
export const modeApply = (
  matrices: Value,
  x: Value,
  { count, outer, dim, inner }: Mode,
  { transposed = false } = {},
): Value =>
  x.graph.add(modeApplyOp, [matrices, x], {
    count,
    outer,
    dim,
    inner,
    transposed: Number(transposed),
  })[0];
