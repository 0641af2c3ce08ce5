import type { Value } from '../graph/graph.ts';
import type { Attrs } from '../graph/types.ts';
import { gemm } from '../linalg/gemm.ts';
import { defineOp, expectType, type Numbers, type Operand, shapeError } from './define.ts';
import { standsStill } from './status.ts';

/** A tensor seen along one of its dimensions, as [outer, dim, inner]. */
export interface Mode {
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
}

interface ModeAttrs extends Mode, Attrs {
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
}

/** Slice o of a [outer, dim, inner] tensor as a dim × inner matrix. */
const slice = ({ data }: { data: Numbers }, { dim, inner }: Mode, o: number) => ({
  data,
  offset: o * dim * inner,
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
  infer: ([status, statistic, g], { outer, dim, inner }) => {
    expectType('modeGram', 'a status block', status, 'i32', [8]);
    expectType('modeGram', 'a statistic', statistic, 'f32', [dim, dim]);
    expectType('modeGram', 'a gradient', g, 'f32');
    if (g.shape.reduce((n, d) => n * d, 1) !== outer * dim * inner) {
      throw shapeError(
        `modeGram cannot see [${g.shape.join(', ')}] as [${outer}, ${dim}, ${inner}]`,
      );
    }
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, statistic, g], attrs }) => {
    const { outer, dim, inner, decay, scale } = attrs;
    const gram = new Float64Array(dim * dim);
    return () => {
      if (standsStill(status)) return;
      gram.fill(0);
      for (let o = 0; o < outer; o++) {
        const a = slice(g, attrs, o);
        gemm(
          dim,
          dim,
          inner,
          a,
          transpose(a),
          { data: gram, offset: 0, ld: dim },
          {
            accumulate: true,
          },
        );
      }
      for (let i = 0; i < gram.length; i++) {
        statistic.data[i] = decay * statistic.data[i] + scale * gram[i];
      }
    };
  },
});

/** statistic ← decay · statistic + scale · Σ G Gᵀ over the mode's slices G; a no-op while the status block is set. */
export function modeGram(
  status: Value,
  statistic: Value,
  g: Value,
  { outer, dim, inner }: Mode,
  { decay, scale }: { decay: number; scale: number },
): void {
  g.graph.add(modeGramOp, [status, statistic, g], { outer, dim, inner, decay, scale });
}

const modeApplyOp = defineOp<ModeAttrs>({
  name: 'modeApply',
  infer: ([matrix, x], { dim }) => {
    expectType('modeApply', 'a matrix', matrix, 'f32', [dim, dim]);
    return [x];
  },
  kernel: ({ inputs: [matrix, x], outputs: [y], attrs }) => {
    const { outer, dim, inner } = attrs;
    const p = { data: matrix.data, offset: 0, rowStride: dim, colStride: 1 };
    return () => {
      for (let o = 0; o < outer; o++) {
        const out = { data: y.data, offset: o * dim * inner, ld: inner };
        gemm(dim, inner, dim, { ...p, data: matrix.data }, slice(x as Operand, attrs, o), out);
      }
    };
  },
});

/** P ×_mode x: every slice of the mode multiplied by the symmetric matrix P from the left. */
export const modeApply = (matrix: Value, x: Value, { outer, dim, inner }: Mode): Value =>
  x.graph.add(modeApplyOp, [matrix, x], { outer, dim, inner })[0];
