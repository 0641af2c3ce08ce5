import { checkNames } from '../../arguments.ts';
import { FlatminError } from '../../errors.ts';
import * as ops from '../../ops/index.ts';
import { pair } from '../../ops/windows.ts';
import type { Layer } from '../layer.ts';
import { named } from './checks.ts';

/** The largest element of each window of images [n, c, h, w]; the stride defaults to the kernel. */
export const maxPool2d = (kernel: number, options: WindowOptions = {}): Layer =>
  pool('maxPool2d', kernel, options, ops.maxPool2d);

/** The mean of each window of images [n, c, h, w]; the stride defaults to the kernel. */
export const avgPool2d = (kernel: number, options: WindowOptions = {}): Layer =>
  pool('avgPool2d', kernel, options, ops.avgPool2d);

type WindowOptions = Omit<ops.PoolOptions, 'kernel'>;

function pool(
  name: string,
  kernel: number,
  options: WindowOptions,
  op: typeof ops.maxPool2d,
): Layer {
  checkNames<WindowOptions>(name, options, { stride: true, padding: true });
  const [kh, kw] = pair(name, 'the kernel', kernel, 1);
  return named(`${name}(${kh === kw ? kh : `${kh}×${kw}`})`, (x) => op(x, { kernel, ...options }));
}

/** The mean of each channel of images [n, c, h, w] → [n, c], of images of any size. */
export const globalAvgPool2d = (): Layer =>
  named('globalAvgPool2d()', (x) => {
    if (x.shape.length === 4 && x.shape[2] > 0 && x.shape[3] > 0) return ops.mean(x, [2, 3]);
    throw new FlatminError(
      'FLATMIN_SHAPE',
      `globalAvgPool2d expects images [n, channels, height, width] of at least one pixel, got [${x.shape.join(', ')}]`,
    );
  });
