import { checkBoolean, checkNames } from '../../arguments.ts';
import * as ops from '../../ops/index.ts';
import { fanInUniform } from '../init.ts';
import type { Layer } from '../layer.ts';
import { expectCount, named } from './checks.ts';

/** Options of a fully connected layer. An unknown option is `FLATMIN_ARGUMENT`. */
export interface LinearOptions {
  /** Default true. */
  bias?: boolean;
}

/** y = x Wᵀ + b over the last dimension. Weight [out, in] and bias [out] start from U(±1/√in). */
export function linear(out: number, options: LinearOptions = {}): Layer {
  expectCount('linear', 'out', out);
  checkNames<LinearOptions>('linear', options, { bias: true });
  const bias = checkBoolean('bias of linear', options.bias ?? true);
  return named(`linear(${out})`, (x, scope) => {
    const features = x.shape[x.shape.length - 1] ?? 1;
    const init = fanInUniform(features);
    return ops.linear(
      x,
      scope.param('weight', [out, features], init),
      bias ? scope.param('bias', [out], init) : undefined,
    );
  });
}

/**
 * Rows of a table by tokens i32 [batch, steps] → [batch, steps, dim]. The table, `embedding` [vocabulary, dim], starts
 * from U(±√3), of variance 1 as PyTorch's. Token −1 is padding and gives zeros; what follows a row's last token is past
 * its end for the sequence layers after this one. A token outside the vocabulary makes the loss NaN.
 */
export function embedding(vocabulary: number, dim: number): Layer {
  expectCount('embedding', 'the vocabulary', vocabulary);
  expectCount('embedding', 'dim', dim);
  return named(`embedding(${vocabulary}, ${dim})`, (tokens, scope) => {
    const init = { kind: 'uniform', bound: Math.sqrt(3) } as const;
    const y = ops.embedding(scope.param('embedding', [vocabulary, dim], init), tokens);
    if (tokens.shape.length === 2) scope.lengths = ops.lengths(tokens);
    return y;
  });
}

/** [n, …] to [n, features]. */
export const flatten = (): Layer => named('flatten()', (x) => ops.flatten(x));
