import type { Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { type Attrs, type Shape, sizeOf } from '../graph/types.ts';
import { defineOp, shapeError } from './define.ts';
import { reshape } from './reshape.ts';

/** Blocks of one shape that a tensor is cut into. */
export interface BlockGroup {
  /** [blocks, ...dimensions of each]. */
  readonly shape: readonly number[];
  /** Offset of the first in the tensor. */
  readonly base: number;
  /** How a block's index, then an element's within it, goes on in the tensor, row-major: dimensions of 1 left out. */
  readonly extents: readonly number[];
  readonly strides: readonly number[];
}

/** Levels of extents and strides that kernels take. */
const MOST_LEVELS = 16;

/** A tensor cut along every dimension at multiples of `size`; what is left at the ends makes groups of its own. */
export function blockGroups(dims: Shape, size: number): BlockGroup[] {
  const parts = dims.map((d) =>
    [
      { start: 0, count: Math.floor(d / size), extent: size },
      { start: d - (d % size), count: 1, extent: d % size },
    ].filter(({ count, extent }) => count > 0 && extent > 0),
  );
  const combinations = parts.reduce<(typeof parts)[number][]>(
    (list, options) => list.flatMap((chosen) => options.map((part) => [...chosen, part])),
    [[]],
  );
  return combinations.map((modes) => {
    const stride = (mode: number) => sizeOf(dims.slice(mode + 1));
    const levels = [
      ...modes.map(({ count, extent }, i) => ({ extent: count, stride: extent * stride(i) })),
      ...modes.map(({ extent }, i) => ({ extent, stride: stride(i) })),
    ].filter(({ extent }) => extent > 1);
    if (levels.length > MOST_LEVELS) {
      throw shapeError(`Blocks of a tensor [${dims.join(', ')}] are of too high an order`);
    }
    return {
      shape: [sizeOf(modes.map((m) => m.count)), ...modes.map((m) => m.extent)],
      base: modes.reduce((at, { start }, i) => at + start * stride(i), 0),
      extents: levels.map((l) => l.extent),
      strides: levels.map((l) => l.stride),
    };
  });
}

interface BlockAttrs extends Attrs {
  readonly dims: readonly number[];
  readonly size: number;
  readonly bases: readonly number[];
  /** Levels of each group, then those of all groups in a row. */
  readonly levels: readonly number[];
  readonly extents: readonly number[];
  readonly strides: readonly number[];
}

function attrsOf(dims: Shape, size: number): BlockAttrs {
  const groups = blockGroups(dims, size);
  return {
    dims,
    size,
    bases: groups.map((g) => g.base),
    levels: groups.map((g) => g.extents.length),
    extents: groups.flatMap((g) => g.extents),
    strides: groups.flatMap((g) => g.strides),
  };
}

/** visit(offset in the tensor, index in the group) for every element of a group's blocks. */
function forElements(group: BlockGroup, visit: (offset: number, index: number) => void): void {
  const { base, extents, strides } = group;
  const digits = extents.map(() => 0);
  const size = sizeOf(group.shape);
  for (let index = 0, offset = base; index < size; index++) {
    visit(offset, index);
    for (let d = digits.length - 1; d >= 0; d--) {
      offset += strides[d];
      if (++digits[d] < extents[d]) break;
      offset -= extents[d] * strides[d];
      digits[d] = 0;
    }
  }
}

const splitBlocksOp = defineOp<BlockAttrs>({
  name: 'splitBlocks',
  infer: ([x], { dims, size }) => {
    if (sizeOf(x.shape) !== sizeOf(dims)) {
      throw shapeError(`splitBlocks cannot see [${x.shape.join(', ')}] as [${dims.join(', ')}]`);
    }
    return blockGroups(dims, size).map(({ shape }) => ({ dtype: 'f32', shape }));
  },
  kernel: ({ inputs: [x], outputs, attrs: { dims, size } }) => {
    const groups = blockGroups(dims, size);
    return () => {
      groups.forEach((group, i) => {
        const to: Numbers = outputs[i].data;
        forElements(group, (offset, index) => {
          to[index] = x.data[offset];
        });
      });
    };
  },
});

const joinBlocksOp = defineOp<BlockAttrs>({
  name: 'joinBlocks',
  infer: (_, { dims }) => [{ dtype: 'f32', shape: dims }],
  kernel: ({ inputs, outputs: [y], attrs: { dims, size } }) => {
    const groups = blockGroups(dims, size);
    return () => {
      groups.forEach((group, i) => {
        const from: Numbers = inputs[i].data;
        forElements(group, (offset, index) => {
          y.data[offset] = from[index];
        });
      });
    };
  },
});

/** Blocks that stand in the tensor one after the other as they are. */
const isInOrder = (dims: Shape, size: number): boolean =>
  dims.slice(1).every((d) => d <= size) && (dims[0] <= size || dims[0] % size === 0);

/**
 * A tensor of shape `dims` cut into blocks of at most `size` along every dimension: [blocks, ...dimensions] for each
 * shape of blocks. No copy where they stand in order.
 */
export const splitBlocks = (x: Value, dims: Shape, size: number): Value[] =>
  isInOrder(dims, size)
    ? [reshape(x, blockGroups(dims, size)[0].shape)]
    : x.graph.add(splitBlocksOp, [x], attrsOf(dims, size));

/** The tensor that `splitBlocks` cut. */
export const joinBlocks = (blocks: readonly Value[], dims: Shape, size: number): Value =>
  isInOrder(dims, size)
    ? reshape(blocks[0], dims)
    : blocks[0].graph.add(joinBlocksOp, blocks, attrsOf(dims, size))[0];
