import { blocksTimes, timesBlocks } from '../../../src/ops/block_matmul.ts';
import { f32, random } from '../data.ts';
import type { Case } from '../harness.ts';

/** Orders of the blocks, and x's size beside them. */
const SHAPES: readonly { orders: readonly number[]; beside: number }[] = [
  { orders: [1, 1], beside: 1 },
  { orders: [2, 3, 1], beside: 5 },
  { orders: [17, 8, 16], beside: 33 },
  { orders: [65, 64], beside: 10 },
  // Products over 512 terms and more, which gemm.h of CUDA cuts into pieces.
  { orders: [520, 40], beside: 3 },
  { orders: [0, 4, 0], beside: 3 },
  { orders: [3, 4], beside: 0 },
];

interface Product {
  readonly left: boolean;
  readonly transBlocks: boolean;
  readonly transX: boolean;
}

function product(
  { orders, beside }: (typeof SHAPES)[number],
  { left, transBlocks, transX }: Product,
): Case {
  const whole = orders.reduce((sum, n) => sum + n, 0);
  const [m, n] = left ? [whole, beside] : [beside, whole];
  const x = `x${transX ? 'ᵀ' : ''}`;
  const blocks = `diag(${orders})${transBlocks ? 'ᵀ' : ''}`;
  return {
    op: 'blockMatmul',
    name: left ? `${blocks} ${x} [${m}, ${n}]` : `${x} [${m}, ${n}] ${blocks}`,
    inputs: [
      f32(transX ? [n, m] : [m, n], random(m * n, { seed: 5, low: -1, high: 1 })),
      ...orders.map((order, i) =>
        f32([order, order], random(order * order, { seed: 6 + i, low: -1, high: 1 })),
      ),
    ],
    build: ([x, ...blocks]) => {
      const options = { transBlocks, transX };
      return [left ? blocksTimes(blocks, x, options) : timesBlocks(x, blocks, options)];
    },
    oracle: ([x, ...blocks]) => {
      const diagonal = Array.from({ length: whole }, () => new Float64Array(whole));
      let begin = 0;
      blocks.forEach((block, b) => {
        block.forEach((v, k) => {
          const [r, c] = [Math.floor(k / orders[b]), k % orders[b]];
          diagonal[begin + (transBlocks ? c : r)][begin + (transBlocks ? r : c)] = v;
        });
        begin += orders[b];
      });
      const at = (i: number, j: number) => (transX ? x[j * m + i] : x[i * n + j]);
      return [
        Array.from({ length: m * n }, (_, k) => {
          const [i, j] = [Math.floor(k / n), k % n];
          return diagonal.reduce(
            (sum, row, l) => sum + (left ? diagonal[i][l] * at(l, j) : at(i, l) * row[j]),
            0,
          );
        }),
      ];
    },
    // Errors grow with the sum of absolute products, each below 1.
    tolerance: { rel: 1e-6, abs: 1e-7 * (Math.max(...orders) + 10) },
  };
}

const BOTH = [false, true] as const;

export const cases: Case[] = SHAPES.flatMap((shape) =>
  BOTH.flatMap((left) =>
    BOTH.flatMap((transBlocks) =>
      BOTH.map((transX) => product(shape, { left, transBlocks, transX })),
    ),
  ),
);
