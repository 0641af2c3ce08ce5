import { checkNames } from '../../arguments.ts';
import { checkFlip, checkPadding } from '../../ops/augment.ts';
import { checkProbability } from '../../ops/dropout.ts';
import * as ops from '../../ops/index.ts';
import type { Layer } from '../layer.ts';
import { expectNumber, named } from './checks.ts';

/** Sets elements to 0 with probability p while training and scales the others by 1/(1 − p). */
export function dropout(p: number): Layer {
  checkProbability(p);
  return named(`dropout(${p})`, (x, scope) =>
    scope.training ? ops.dropout(x, { p, stream: scope.stream() }) : x,
  );
}

/** Options of random crops of images. An unknown option is `FLATMIN_ARGUMENT`. */
export interface CropOptions {
  /** What lies around an image, as the layer sees images: after `normalise` black is no 0. Default 0. */
  value?: number;
}

/**
 * While training, crops as large as the images [n, c, h, w] are, each at a place of its own within `padding` pixels around
 * its image: moved by up to `padding` down and across, a number or [vertical, horizontal]. In evaluation x itself. All
 * passes of a step draw the same places.
 */
export function randomCrop2d(
  padding: number | readonly [number, number],
  options: CropOptions = {},
): Layer {
  checkNames<CropOptions>('randomCrop2d', options, { value: true });
  const { value = 0 } = options;
  const sides = checkPadding(padding);
  expectNumber('randomCrop2d', 'value', value, '', true);
  return named(`randomCrop2d(${sides.join(', ')})`, (x, scope) =>
    scope.training ? ops.randomCrop2d(x, { padding: sides, value, stream: scope.stream() }) : x,
  );
}

/** While training, each of the images [n, c, h, w] mirrored left to right with probability p; in evaluation x itself. */
export function randomFlip(p = 0.5): Layer {
  checkFlip(p);
  return named(`randomFlip(${p})`, (x, scope) =>
    scope.training ? ops.randomFlip(x, { p, stream: scope.stream() }) : x,
  );
}
