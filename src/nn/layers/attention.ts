import { checkBoolean, checkNames, checkWhole } from '../../arguments.ts';
import { FlatminError } from '../../errors.ts';
import type { Value } from '../../graph/graph.ts';
import * as ops from '../../ops/index.ts';
import { fanInUniform, zeros } from '../init.ts';
import type { Layer } from '../layer.ts';
import { attend } from './attend.ts';
import { named } from './checks.ts';
import { linear } from './linear.ts';

/** Options of attention of each token to itself and those before it. An unknown option is `FLATMIN_ARGUMENT`. */
export interface SelfAttentionOptions {
  /** Of the projections. Default true. */
  bias?: boolean;
  /** Rotary positions of queries and keys. Default false: what comes in has positions of its own, if any. */
  rotary?: boolean;
}

/** Options of attention by several heads. An unknown option is `FLATMIN_ARGUMENT`. */
export interface MultiHeadAttentionOptions extends SelfAttentionOptions {
  /** Whether a step sees only the steps up to its own. Default false. */
  causal?: boolean;
}

/**
 * Self-attention of [batch, steps, width] in `heads` heads (Vaswani et al. 2017): softmax(q kᵀ/√dim) v, dim = width / heads, of
 * projections q, k and v of x, and a projection of the heads side by side. `in_proj_weight` [3·width, width],
 * which has those of q, k and v one below the other, and `out_proj.weight` [width, width] start from U(±1/√width), the
 * biases `in_proj_bias` and `out_proj.bias` from 0; all are named as in PyTorch's MultiheadAttention. After an
 * `embedding` steps past a row's last token are not seen.
 */
export function multiHeadAttention(heads: number, options: MultiHeadAttentionOptions = {}): Layer {
  const name = 'multiHeadAttention';
  checkWhole(`heads of ${name}`, heads, 1);
  checkNames<MultiHeadAttentionOptions>(name, options, { bias: true, rotary: true, causal: true });
  const { bias = true, rotary = false, causal = false } = options;
  checkBoolean(`bias of ${name}`, bias);
  checkBoolean(`rotary of ${name}`, rotary);
  checkBoolean(`causal of ${name}`, causal);
  return named(`${name}(${heads})`, (x, scope) => {
    const width = widthOf(name, x);
    const init = fanInUniform(width);
    const param = (tensor: string, ...shape: number[]) =>
      scope.param(tensor, shape, tensor.endsWith('bias') ? zeros : init);
    const packed = ops.linear(
      x,
      param('in_proj_weight', 3 * width, width),
      bias ? param('in_proj_bias', 3 * width) : undefined,
    );
    const project: Layer = (y, own) =>
      ops.linear(
        y,
        own.param('weight', [width, width], init),
        bias ? own.param('bias', [width], zeros) : undefined,
      );
    return scope.call('out_proj', project, attend(packed, { heads, causal, rotary }, scope));
  });
}

/**
 * `multiHeadAttention(heads, { causal: true })` under GPT-2's names: linear layers `c_attn` [3·width, width], of q, k and v one
 * below the other, and `c_proj` [width, width].
 */
export function causalSelfAttention(heads: number, options: SelfAttentionOptions = {}): Layer {
  const name = 'causalSelfAttention';
  checkWhole(`heads of ${name}`, heads, 1);
  checkNames<SelfAttentionOptions>(name, options, { bias: true, rotary: true });
  const { bias = true, rotary = false } = options;
  checkBoolean(`bias of ${name}`, bias);
  checkBoolean(`rotary of ${name}`, rotary);
  return named(`${name}(${heads})`, (x, scope) => {
    const width = widthOf(name, x);
    const packed = scope.call('c_attn', linear(3 * width, { bias }), x);
    const y = attend(packed, { heads, causal: true, rotary }, scope);
    return scope.call('c_proj', linear(width, { bias }), y);
  });
}

function widthOf(layer: string, x: Value): number {
  if (x.shape.length === 3) return x.shape[2];
  throw new FlatminError(
    'FLATMIN_SHAPE',
    `${layer} expects [batch, steps, width], got [${x.shape.join(', ')}]`,
  );
}
