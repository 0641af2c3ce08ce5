import { checkGelu } from '../../ops/activations.ts';
import * as ops from '../../ops/index.ts';
import type { Layer } from '../layer.ts';
import { named } from './checks.ts';

/** max(x, 0), element by element, of any shape; the gradient at 0 is 0. */
export const relu = (): Layer => named('relu()', (x) => ops.relu(x));
/** The hyperbolic tangent, element by element, of any shape. */
export const tanh = (): Layer => named('tanh()', (x) => ops.tanh(x));
/** 1 / (1 + e^−x), element by element, of any shape. Not before `binaryCrossEntropy()`, which takes logits. */
export const sigmoid = (): Layer => named('sigmoid()', (x) => ops.sigmoid(x));
/** x Φ(x), or with `approximate: 'tanh'` GPT-2's form of it. */
export function gelu(options: ops.GeluOptions = {}): Layer {
  checkGelu(options);
  return named('gelu()', (x) => ops.gelu(x, options));
}
/** x / (1 + e^−x). */
export const silu = (): Layer => named('silu()', (x) => ops.silu(x));
/** Over the last dimension. Not before `crossEntropy()`, which takes logits. */
export const softmax = (): Layer => named('softmax()', (x) => ops.softmax(x));
