import { checkBoolean, checkNames, checkOneOf, checkWhole } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { checkProbability } from '../ops/dropout.ts';
import * as ops from '../ops/index.ts';
import { zeros } from './init.ts';
import type { Layer } from './layer.ts';
import { attend } from './layers/attend.ts';
import { named } from './layers/checks.ts';
import { dropout, layerNorm, residual } from './layers/index.ts';
import { sequential } from './sequential.ts';

/** Options of a GPT: its vocabulary, its context in tokens, and its sizes. An unknown option is `FLATMIN_ARGUMENT`. */
export interface GptOptions {
  /** Tokens that there are. Default 50257. */
  readonly vocabulary?: number;
  /** The most steps of a row. Default 1024. */
  readonly context?: number;
  /** Blocks. Default 12. */
  readonly layers?: number;
  /** Heads of each block's attention, which divide the width. Default 12. */
  readonly heads?: number;
  /** Numbers that a token becomes. Default 768. */
  readonly width?: number;
  /** Probability of a 0 in the embeddings and in what a block adds, while training. Default 0. */
  readonly dropout?: number;
  /** Of linear layers and normalisations. Default true. */
  readonly bias?: boolean;
  /** `learned`: a table of positions is added to the tokens; `rotary`: queries and keys are turned. Default `learned`. */
  readonly positions?: 'learned' | 'rotary';
}

/** GPT-2's standard deviation of weights. */
const SPREAD = 0.02;

/**
 * GPT-2 (Radford et al. 2019): next-token logits for tokens i32 [batch, steps], −1 past a row's end → [batch, steps,
 * vocabulary]. `wte.weight` [vocabulary, width], the tokens' table, which is the head too, and `wpe.weight` [context, width];
 * blocks `h.0`, `h.1`, … x + attn(ln_1 x), x + mlp(ln_2 x), the network of 4 · width units with GELU by tanh; `ln_f`.
 * Of the default size 124,439,808 parameters. Weights start with a standard deviation of 0.02, those of `c_proj`, which
 * add to what passes through, 0.02/√(2 · layers), all uniform; biases from 0. A state dict of PyTorch or Hugging Face's
 * GPT-2 loads by name, with or without the prefix `transformer.`, also where linear weights are transposed, as published.
 */
export function gpt(options: GptOptions = {}): Layer {
  checkNames<GptOptions>('gpt', options, {
    vocabulary: true,
    context: true,
    layers: true,
    heads: true,
    width: true,
    dropout: true,
    bias: true,
    positions: true,
  });
  const { vocabulary = 50_257, context = 1024, layers = 12, heads = 12, width = 768 } = options;
  const { dropout: p = 0, bias = true, positions = 'learned' } = options;
  for (const [name, count] of Object.entries({ vocabulary, context, layers, heads, width })) {
    checkWhole(`${name} of gpt`, count, 1);
  }
  checkProbability(p);
  checkBoolean('bias of gpt', bias);
  checkOneOf('positions of gpt', positions, ['learned', 'rotary']);
  const drop = p === 0 ? [] : [dropout(p)];
  const added = projection(width, { bias, spread: SPREAD / Math.sqrt(2 * layers) });
  const attention: Layer = (x, scope) => {
    const packed = scope.call('c_attn', projection(3 * width, { bias, spread: SPREAD }), x);
    const rotary = positions === 'rotary';
    return scope.call('c_proj', added, attend(packed, { heads, causal: true, rotary }, scope));
  };
  const units = sequential({
    c_fc: projection(4 * width, { bias, spread: SPREAD }),
    gelu: (x) => ops.gelu(x, { approximate: 'tanh' }),
    c_proj: added,
  });
  const within = (norm: string, name: string, layer: Layer): Layer =>
    residual((x, scope) =>
      drop.reduce(
        (y, layer) => layer(y, scope),
        scope.call(name, layer, scope.call(norm, layerNorm({ bias }), x)),
      ),
    );
  const steps = [within('ln_1', 'attn', attention), within('ln_2', 'mlp', units)];
  const block: Layer = (x, scope) => steps.reduce((y, step) => step(y, scope), x);
  const blocks = sequential(...Array.from({ length: layers }, () => block));
  const table =
    (rows: number): Layer =>
    (_, scope) =>
      scope.param('weight', [rows, width], spreadBy(SPREAD));

  return named('gpt()', (tokens, scope) => {
    if (tokens.shape.length !== 2 || tokens.shape[1] > context) {
      throw new FlatminError(
        'FLATMIN_SHAPE',
        `gpt expects tokens [batch, steps] of at most ${context} steps, got [${tokens.shape.join(', ')}]`,
      );
    }
    const wte = scope.call('wte', table(vocabulary), tokens);
    let x = ops.embedding(wte, tokens);
    scope.lengths = ops.lengths(tokens);
    if (positions === 'learned') {
      const wpe = scope.call('wpe', table(context), tokens);
      x = ops.add(x, ops.slice(wpe, [[0, tokens.shape[1]]]));
    }
    x = drop.reduce((y, layer) => layer(y, scope), x);
    x = scope.call('h', blocks, x);
    return ops.linear(scope.call('ln_f', layerNorm({ bias }), x), wte);
  });
}

/** Uniform, of this standard deviation. */
const spreadBy = (spread: number) => ({ kind: 'uniform', bound: spread * Math.sqrt(3) }) as const;

function projection(out: number, { bias, spread }: { bias: boolean; spread: number }): Layer {
  return named(`linear(${out})`, (x, scope) => {
    const features = x.shape[x.shape.length - 1];
    return ops.linear(
      x,
      scope.param('weight', [out, features], spreadBy(spread)),
      bias ? scope.param('bias', [out], zeros) : undefined,
    );
  });
}
