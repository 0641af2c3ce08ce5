import { checkNames, wrongArgument } from '../arguments.ts';
import type { OpDef, Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import { showType } from '../graph/types.ts';
import { philoxBlock, toUniform } from '../random/philox.ts';
import { defineOp, expectNumbers, graphOf, shapeError } from './define.ts';
import { type Pair, pair } from './windows.ts';

type Attrs = Readonly<{
  /** Most that an image is moved by, down and across. */
  padding: readonly number[];
  /** Probability of being mirrored. */
  flip: number;
  /** Of pixels from outside. */
  value: number;
  /** 1: the gradient's way, by the same draws. */
  adjoint: number;
  stream: number;
  seedSlot: number;
  stepSlot: number;
}>;

/** Where a row and a column of the output come from: row + down, and column + across, or its mirror image + across. */
interface Move {
  readonly down: number;
  readonly across: number;
  readonly mirrored: boolean;
}

const TWO32 = 2 ** 32;

/** Of one image, by three random words: down, across, mirror. */
function moveOf(words: Uint32Array, { padding: [rows, columns], flip, adjoint }: Attrs): Move {
  const drawn = (word: number, most: number): number =>
    Math.floor((word * (2 * most + 1)) / TWO32) - most;
  const mirrored = toUniform(words[2]) < flip;
  const [down, across] = [drawn(words[0], rows), drawn(words[1], columns)];
  // A mirror image is moved back by the same move.
  return adjoint
    ? { down: -down, across: mirrored ? across : -across, mirrored }
    : { down, across, mirrored };
}

function moveImage(
  from: Numbers,
  to: Numbers,
  [channels, height, width]: readonly number[],
  { down, across, mirrored }: Move,
  value: number,
): void {
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < height; i++) {
      const row = i + down;
      for (let j = 0; j < width; j++) {
        const column = (mirrored ? width - 1 - j : j) + across;
        const inside = row >= 0 && row < height && column >= 0 && column < width;
        to[(c * height + i) * width + j] = inside
          ? from[(c * height + row) * width + column]
          : value;
      }
    }
  }
}

const moveImagesOp: OpDef<Attrs> = defineOp<Attrs>({
  name: 'moveImages',
  infer: ([x], { value }) => {
    if ((x.dtype !== 'u8' && x.dtype !== 'f32') || x.shape.length !== 4) {
      throw shapeError(`Augmentation expects images u8 or f32 [n, c, h, w], got ${showType(x)}`);
    }
    if (x.dtype === 'u8' && !(Number.isInteger(value) && value >= 0 && value <= 255)) {
      throw wrongArgument('The value around u8 images', 'a whole number from 0 to 255', value);
    }
    return [x];
  },
  runs: ({ inputs: [x] }) => x.shape[0],
  gradient: ({ attrs }, [dy]) => [
    dy?.graph.add(moveImagesOp, [dy], { ...attrs, value: 0, adjoint: 1 - attrs.adjoint })[0],
  ],
  tangent: ({ attrs }, [dx]) => [dx?.graph.add(moveImagesOp, [dx], { ...attrs, value: 0 })[0]],
  kernel: ({ inputs: [x], outputs: [y], attrs }) => {
    const [images, ...image] = x.shape;
    const size = image[0] * image[1] * image[2];
    const words = new Uint32Array(4);
    return (row) => {
      const source = { seed: row[attrs.seedSlot], stream: attrs.stream, step: row[attrs.stepSlot] };
      for (let n = 0; n < images; n++) {
        philoxBlock(words, source, n);
        const [begin, end] = [n * size, (n + 1) * size];
        const move = moveOf(words, attrs);
        moveImage(
          x.data.subarray(begin, end),
          y.data.subarray(begin, end),
          image,
          move,
          attrs.value,
        );
      }
    };
  },
});

function moveImages(
  x: Value,
  stream: number,
  what: Pick<Attrs, 'padding' | 'flip' | 'value'>,
): Value {
  const { seed, step } = x.graph;
  const slots = { stream, seedSlot: seed.index, stepSlot: step.index };
  return x.graph.add(moveImagesOp, [x], { ...what, adjoint: 0, ...slots })[0];
}

export interface RandomCropOptions {
  /** Most pixels that an image is moved by: a number for both directions, or [vertical, horizontal]. */
  readonly padding: Pair;
  /** Of pixels from outside the image. Default 0. */
  readonly value?: number;
  /** Stream of the random numbers. */
  readonly stream: number;
}

/**
 * Crops as large as images u8 or f32 [n, c, h, w] are, from each within its padding: element (i, j) is element
 * (i + r, j + s), r and s drawn for each image from −padding … padding by words 4n and 4n + 1 of (seed, stream, step).
 */
export function randomCrop2d(x: Value, options: RandomCropOptions): Value {
  graphOf('randomCrop2d', x);
  checkNames<RandomCropOptions>('randomCrop2d', options, {
    padding: true,
    value: true,
    stream: true,
  });
  const { stream, value = 0 } = options;
  expectNumbers('randomCrop2d', { stream, value });
  const padding = checkPadding(options.padding);
  return moveImages(x, stream, { padding, flip: 0, value });
}

/** The padding of a random crop, down and across. */
export const checkPadding = (padding: Pair): [number, number] => {
  const both = pair('randomCrop2d', 'padding', padding, 0);
  if (Math.max(...both) < 2 ** 30) return both;
  throw wrongArgument('The padding of randomCrop2d', 'less than 2^30', padding);
};

export interface RandomFlipOptions {
  /** Probability of being mirrored, from 0 to 1. Default 0.5. */
  readonly p?: number;
  /** Stream of the random numbers. */
  readonly stream: number;
}

/** Images u8 or f32 [n, c, h, w], each mirrored left to right where uniform(seed, stream, step, 4n + 2) < p. */
export function randomFlip(x: Value, options: RandomFlipOptions): Value {
  graphOf('randomFlip', x);
  checkNames<RandomFlipOptions>('randomFlip', options, { p: true, stream: true });
  const { stream, p = 0.5 } = options;
  expectNumbers('randomFlip', { stream });
  return moveImages(x, stream, { padding: [0, 0], flip: checkFlip(p), value: 0 });
}

/** The probability of a flip. */
export const checkFlip = (p: number): number => {
  if (typeof p === 'number' && p >= 0 && p <= 1) return p;
  throw wrongArgument('p of randomFlip', 'a number from 0 to 1', p);
};
