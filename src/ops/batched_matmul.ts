import type { Value } from '../graph/graph.ts';
import { fractionBitsOf } from '../graph/precision.ts';
import { type Shape, showType, sizeOf } from '../graph/types.ts';
import { gemm } from '../linalg/gemm.ts';
import { plus } from './binary.ts';
import { broadcastIndices, broadcastShapes, leadingRuns } from './broadcast.ts';
import { defineOp, expectType, shapeError } from './define.ts';
import { sumTo } from './reduce.ts';
import { broadcastTo } from './views.ts';

type Attrs = Readonly<{ transA: number; transB: number }>;

const lead = (shape: Shape): Shape => shape.slice(0, -2);

/** Rows and columns of op(x). */
function sides(shape: Shape, transposed: number): readonly [number, number] {
  const [rows, columns] = shape.slice(-2);
  return transposed ? [columns, rows] : [rows, columns];
}

const batchedMatmulOp = defineOp<Attrs>({
  name: 'batchedMatmul',
  product: true,
  infer: ([a, b], { transA, transB }) => {
    expectType('matmul', 'its first operand', a, 'f32');
    expectType('matmul', 'its second operand', b, 'f32');
    const [m, k] = sides(a.shape, transA);
    const [k2, n] = sides(b.shape, transB);
    if (k !== k2) {
      const t = (on: number) => (on ? ' transposed' : '');
      throw shapeError(
        `matmul expects equal inner dimensions, got ${showType(a)}${t(transA)} and ${showType(b)}${t(transB)}`,
      );
    }
    return [
      { dtype: 'f32', shape: [...broadcastShapes('matmul', lead(a.shape), lead(b.shape)), m, n] },
    ];
  },
  runs: ({ inputs, outputs: [y], attrs: { transA } }, input) => {
    const batches = leadingRuns(lead(inputs[input].shape), lead(y.shape));
    const alone = input === 0 && !transA && batches === sizeOf(lead(y.shape));
    return alone ? batches * y.shape[y.shape.length - 2] : batches;
  },
  gradient: ({ inputs: [a, b], attrs: { transA, transB } }, [dy]) => {
    if (dy === undefined) return [];
    const da = transA ? product(b, dy, transB, 1) : product(dy, b, 0, 1 - transB);
    const db = transB ? product(dy, a, 1, transA) : product(a, dy, 1 - transA, 0);
    return [sumTo(da, a.shape), sumTo(db, b.shape)];
  },
  tangent: ({ inputs: [a, b], outputs: [y], attrs: { transA, transB } }, [ta, tb]) => {
    const dy = plus(ta && product(ta, b, transA, transB), tb && product(a, tb, transA, transB));
    return [dy && broadcastTo(dy, y.shape)];
  },
  kernel: ({ inputs: [a, b], outputs: [y], attrs }) => {
    const [m, n] = y.shape.slice(-2);
    const [, k] = sides(a.shape, attrs.transA);
    const as = broadcastIndices(lead(a.shape), lead(y.shape));
    const bs = broadcastIndices(lead(b.shape), lead(y.shape));
    const matrix = ({ data }: typeof a, offset: number, columns: number, transposed: number) => ({
      data,
      offset,
      rowStride: transposed ? 1 : columns,
      colStride: transposed ? columns : 1,
    });
    return () => {
      for (let i = 0; i < as.length; i++) {
        gemm(
          m,
          n,
          k,
          matrix(a, as[i] * m * k, attrs.transA ? m : k, attrs.transA),
          matrix(b, bs[i] * k * n, attrs.transB ? k : n, attrs.transB),
          { data: y.data, offset: i * m * n, ld: n },
          { fractionBits: fractionBitsOf(attrs) },
        );
      }
    };
  },
});

const product = (a: Value, b: Value, transA: number, transB: number): Value =>
  batchedMatmul(a, b, { transA, transB });

/** op(a) · op(b) of the last two dimensions of [..., m, k] and [..., k, n]; the others are broadcast. */
export const batchedMatmul = (a: Value, b: Value, attrs: Attrs): Value =>
  a.graph.add(batchedMatmulOp, [a, b], attrs)[0];
