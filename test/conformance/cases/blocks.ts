/** Tensors cut into blocks, and put together again. */
import type { Value } from '../../../src/graph/graph.ts';
import { joinBlocks, splitBlocks } from '../../../src/ops/blocks.ts';
import { f32, random } from '../data.ts';
import type { Case } from '../harness.ts';

const SHAPES: readonly { dims: readonly number[]; size: number }[] = [
  { dims: [7], size: 3 },
  { dims: [5, 4], size: 2 },
  { dims: [4, 6], size: 3 },
  { dims: [3, 9], size: 4 },
  { dims: [9, 3], size: 4 },
  { dims: [1, 5], size: 1 },
  { dims: [3, 4, 5], size: 2 },
  { dims: [2, 1, 3, 5], size: 2 },
  { dims: [70, 301], size: 64 },
];

const sizeOf = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);

/** Elements of the blocks of every shape: by a loop over blocks, then one over the elements of each. */
function blocksOf(x: ArrayLike<number>, dims: readonly number[], size: number): number[][] {
  const starts = dims.map((d) => Array.from({ length: Math.ceil(d / size) }, (_, i) => i * size));
  const groups = new Map<string, number[]>();
  const visit = (block: readonly number[]): void => {
    if (block.length < dims.length) {
      for (const start of starts[block.length]) visit([...block, start]);
      return;
    }
    const extents = block.map((start, i) => Math.min(size, dims[i] - start));
    const key = extents.join();
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    for (let e = 0; e < sizeOf(extents); e++) {
      let at = 0;
      extents.forEach((_, i) => {
        const digit = Math.floor(e / sizeOf(extents.slice(i + 1))) % extents[i];
        at = at * dims[i] + block[i] + digit;
      });
      group.push(x[at]);
    }
  };
  visit([]);
  return [...groups.values()];
}

const both = ({ dims, size }: (typeof SHAPES)[number]): Case[] => {
  const name = `[${dims.join(', ')}] by ${size}`;
  const inputs = [f32(dims, random(sizeOf(dims), { seed: 9 }))];
  const exact = { rel: 0 };
  const split = ([x]: readonly Value[]) => splitBlocks(x, dims, size);
  return [
    {
      op: 'splitBlocks',
      name,
      inputs,
      build: split,
      oracle: ([x]) => blocksOf(x, dims, size),
      tolerance: exact,
    },
    {
      op: 'joinBlocks',
      name,
      inputs,
      build: (values) => [joinBlocks(split(values), dims, size)],
      oracle: ([x]) => [x],
      tolerance: exact,
    },
  ];
};

export const cases: Case[] = SHAPES.flatMap(both);
