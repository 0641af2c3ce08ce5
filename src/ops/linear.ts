import { checkNames } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import { fractionBitsOf } from '../graph/precision.ts';
import { showType } from '../graph/types.ts';
import { gemm } from '../linalg/gemm.ts';
import { batchedMatmul } from './batched_matmul.ts';
import { plus } from './binary.ts';
import { defineOp, expectType, graphOf, shapeError } from './define.ts';
import { sum } from './reduce.ts';
import { reshape } from './reshape.ts';
import { broadcastTo } from './views.ts';

const rowMajor = ({ data, shape }: Operand, transpose: number) => ({
  data,
  offset: 0,
  rowStride: transpose ? 1 : shape[1],
  colStride: transpose ? shape[1] : 1,
});

const matmulOp = defineOp<{ transA: number; transB: number }>({
  name: 'matmul',
  product: true,
  infer: ([a, b], { transA, transB }) => {
    expectType('matmul', 'its first operand', a, 'f32', [null, null]);
    expectType('matmul', 'its second operand', b, 'f32', [null, null]);
    const [m, k] = transA ? [a.shape[1], a.shape[0]] : a.shape;
    const [k2, n] = transB ? [b.shape[1], b.shape[0]] : b.shape;
    if (k !== k2) {
      const t = (on: number) => (on ? ' transposed' : '');
      throw shapeError(
        `matmul expects equal inner dimensions, got ${showType(a)}${t(transA)} and ${showType(b)}${t(transB)}`,
      );
    }
    return [{ dtype: 'f32', shape: [m, n] }];
  },
  runs: ({ outputs: [y], attrs }, input) => (input === 0 && !attrs.transA ? y.shape[0] : 1),
  gradient: ({ inputs: [a, b], attrs: { transA, transB } }, [dy]) =>
    dy && [
      transA
        ? matmul(b, dy, { transA: transB === 1, transB: true })
        : matmul(dy, b, { transB: transB === 0 }),
      transB
        ? matmul(dy, a, { transA: true, transB: transA === 1 })
        : matmul(a, dy, { transA: transA === 0 }),
    ],
  tangent: ({ op, inputs: [a, b], attrs }, [ta, tb]) => {
    const product = (x: Value, y: Value) => x.graph.add(op, [x, y], attrs)[0];
    return [plus(ta && product(ta, b), tb && product(a, tb))];
  },
  kernel:
    ({ inputs: [a, b], outputs: [y], attrs }) =>
    () => {
      const { transA, transB } = attrs;
      const [m, n] = y.shape;
      const c = { data: y.data, offset: 0, ld: n };
      gemm(m, n, a.shape[transA ? 0 : 1], rowMajor(a, transA), rowMajor(b, transB), c, {
        fractionBits: fractionBitsOf(attrs),
      });
    },
});

/**
 * op(a) · op(b), op an optional transpose: of two matrices [m, k] and [k, n], or of the last two dimensions of
 * […, m, k] and […, k, n], whose others are broadcast as in NumPy.
 */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  const graph = graphOf('matmul', a, b);
  checkNames<MatmulOptions>('matmul', options, { transA: true, transB: true });
  const attrs = { transA: options.transA ? 1 : 0, transB: options.transB ? 1 : 0 };
  const ranks = [a.shape.length, b.shape.length];
  if (Math.min(...ranks) < 2 || Math.max(...ranks) === 2)
    return graph.add(matmulOp, [a, b], attrs)[0];
  if (b.shape.length > 2 || attrs.transA) return batchedMatmul(a, b, attrs);
  // One matrix for all rows.
  const rows = graph.add(matmulOp, [reshape(a, [-1, a.shape[ranks[0] - 1]]), b], attrs)[0];
  return reshape(rows, [...a.shape.slice(0, -1), rows.shape[1]]);
}

/** The factors of a product aᵀb, as the gradient of a weight is that of its rows' gradients and inputs. */
export function transposedFactors({ node }: Value): readonly [a: Value, b: Value] | undefined {
  if (node === undefined || node.op !== (matmulOp as unknown)) return undefined;
  const [a, b] = node.inputs;
  return node.attrs.transA === 1 && node.attrs.transB === 0 ? [a, b] : undefined;
}

interface MatmulOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
}

const linearOp = defineOp({
  name: 'linear',
  product: true,
  infer: ([x, w, b]) => {
    expectType('linear', 'rows', x, 'f32', [null, null]);
    expectType('linear', 'a weight', w, 'f32', [null, x.shape[1]]);
    if (b !== undefined) expectType('linear', 'a bias', b, 'f32', [w.shape[0]]);
    return [{ dtype: 'f32', shape: [x.shape[0], w.shape[0]] }];
  },
  runs: ({ inputs: [x] }, input) => (input === 0 ? x.shape[0] : 1),
  gradient: ({ inputs: [x, w, b] }, [dy]) =>
    dy && [matmul(dy, w), matmul(dy, x, { transA: true }), b && sum(dy, [0])],
  tangent: ({ op, inputs: [x, w], outputs: [y], attrs }, [tx, tw, tb]) => {
    const apply = (a: Value, b: Value) => a.graph.add(op, [a, b], attrs)[0];
    const dy = plus(plus(tx && apply(tx, w), tw && apply(x, tw)), tb);
    return [dy && broadcastTo(dy, y.shape)];
  },
  tap: ({ inputs: [input, weight, bias], outputs: [preActivation], attrs }) => ({
    kind: 'linear',
    input,
    preActivation,
    weight,
    bias,
    attrs,
  }),
  kernel:
    ({ inputs: [x, w, b], outputs: [y], attrs }) =>
    () => {
      const [rows, out] = y.shape;
      if (b !== undefined) for (let i = 0; i < y.size; i++) y.data[i] = b.data[i % out];
      const c = { data: y.data, offset: 0, ld: out };
      gemm(rows, out, x.shape[1], rowMajor(x, 0), rowMajor(w, 1), c, {
        accumulate: b !== undefined,
        fractionBits: fractionBitsOf(attrs),
      });
    },
});

/** y = x wᵀ + b over the last dimension: x […, in], w [out, in], b [out] → […, out]. */
export function linear(x: Value, w: Value, b?: Value): Value {
  graphOf('linear', x, w, b === undefined ? w : b);
  const lead = x.shape.slice(0, -1);
  const rows = x.shape.length === 2 ? x : reshape(x, [-1, x.shape[x.shape.length - 1] ?? 1]);
  const y = x.graph.add(linearOp, b === undefined ? [rows, w] : [rows, w, b], {})[0];
  return x.shape.length === 2 ? y : reshape(y, [...lead, w.shape[0]]);
}
