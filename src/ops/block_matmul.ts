import type { Value } from '../graph/graph.ts';
import { gemm } from '../linalg/gemm.ts';
import { defineOp, expectType, shapeError } from './define.ts';
import { matmul } from './linear.ts';

type BlockAttrs = Readonly<{
  /** 1: the blocks stand on the left of x. */
  left: number;
  transBlocks: number;
  transX: number;
}>;

const blockMatmulOp = defineOp<BlockAttrs>({
  name: 'blockMatmul',
  infer: ([x, ...blocks], { left, transX }) => {
    expectType('blockMatmul', 'a matrix', x, 'f32', [null, null]);
    const shape = transX ? [x.shape[1], x.shape[0]] : x.shape;
    let rows = 0;
    for (const block of blocks) {
      const [n] = block.shape;
      expectType('blockMatmul', 'a block', block, 'f32', [n, n]);
      rows += n;
    }
    const wanted = shape[left ? 0 : 1];
    if (rows !== wanted) {
      throw shapeError(`blockMatmul expects blocks of ${wanted} rows together, got ${rows}`);
    }
    return [{ dtype: 'f32', shape }];
  },
  kernel: ({ inputs: [x, ...blocks], outputs: [y], attrs: { left, transBlocks, transX } }) => {
    const [m, n] = y.shape;
    const [rowStride, colStride] = transX ? [1, x.shape[1]] : [x.shape[1], 1];
    return () => {
      let begin = 0;
      for (const { data, shape } of blocks) {
        const [order] = shape;
        const [i, j] = left ? [begin, 0] : [0, begin];
        const block = {
          data,
          offset: 0,
          rowStride: transBlocks ? 1 : order,
          colStride: transBlocks ? order : 1,
        };
        const own = { data: x.data, offset: i * rowStride + j * colStride, rowStride, colStride };
        const to = { data: y.data, offset: i * n + j, ld: n };
        if (left) gemm(order, n, order, block, own, to);
        else gemm(m, order, order, own, block, to);
        begin += order;
      }
    };
  },
});

interface BlockMatmulOptions {
  /** Every block's transpose in its place. Default false. */
  readonly transBlocks?: boolean;
  /** The transpose of x. Default false. */
  readonly transX?: boolean;
}

/** diag(B₀, B₁, …) x for square blocks that have as many rows together as x. */
export function blocksTimes(
  blocks: readonly Value[],
  x: Value,
  { transBlocks = false, transX = false }: BlockMatmulOptions = {},
): Value {
  if (blocks.length === 1) return matmul(blocks[0], x, { transA: transBlocks, transB: transX });
  const attrs = { left: 1, transBlocks: Number(transBlocks), transX: Number(transX) };
  return x.graph.add(blockMatmulOp, [x, ...blocks], attrs)[0];
}

/** x diag(B₀, B₁, …) for square blocks that have as many rows together as x has columns. */
export function timesBlocks(
  x: Value,
  blocks: readonly Value[],
  { transBlocks = false, transX = false }: BlockMatmulOptions = {},
): Value {
  if (blocks.length === 1) return matmul(x, blocks[0], { transA: transX, transB: transBlocks });
  const attrs = { left: 0, transBlocks: Number(transBlocks), transX: Number(transX) };
  return x.graph.add(blockMatmulOp, [x, ...blocks], attrs)[0];
}
