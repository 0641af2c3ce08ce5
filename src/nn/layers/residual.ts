import { wrongArgument } from '../../arguments.ts';
import { FlatminError } from '../../errors.ts';
import { sameShape } from '../../graph/types.ts';
import * as ops from '../../ops/index.ts';
import type { Layer } from '../layer.ts';
import { named } from './checks.ts';

/**
 * y = body(x) + x, or + shortcut(x) where the body changes the shape (He et al. 2016). Parameters of the body are named as
 * if it stood alone, those of the shortcut begin with `downsample`, as in torchvision's networks.
 */
export function residual(body: Layer, shortcut?: Layer): Layer {
  for (const [what, layer] of Object.entries({ body, shortcut })) {
    if (typeof layer === 'function' || (layer === undefined && what === 'shortcut')) continue;
    throw wrongArgument(`The ${what} of residual`, 'a layer', layer);
  }
  return named('residual()', (x, scope) => {
    const beside = shortcut === undefined ? x : scope.call('downsample', shortcut, x);
    const y = body(x, scope);
    if (sameShape(y.shape, beside.shape)) return ops.add(y, beside);
    throw new FlatminError(
      'FLATMIN_SHAPE',
      `residual adds a body of [${y.shape.join(', ')}] to [${beside.shape.join(', ')}]. Help: give it a shortcut that has the body's shape, such as a 1×1 convolution.`,
    );
  });
}
