import { checkNames, checkWhole, isInt32Array, wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { Draws } from '../random/draws.ts';
import { STREAM } from '../random/philox.ts';
import type { Inputs, Tensor } from './predictor.ts';

/** How tokens are drawn. */
export interface Sampling {
  /** Logits are divided by it: 0 takes the likeliest token always. A number of at least 0, default 1. */
  readonly temperature?: number;
  /** Only the so many likeliest tokens are drawn from. Default all. */
  readonly topK?: number;
  /** Decides the draws. A whole number of at least 0, default 0. */
  readonly seed?: number;
}

/**
 * Options of writing tokens by a model: how many, what it sees of those before, and how the next is drawn. An unknown
 * option is `FLATMIN_ARGUMENT`.
 */
export interface WriteOptions extends Sampling {
  /** Tokens to write, a whole number of at least 1. */
  readonly count: number;
  /** The most tokens that the model sees, the last ones: a whole number of at least 1. */
  readonly context: number;
}

/** What predicts: a trained model. */
export interface Writing {
  /** Logits of tokens. */
  predictAsync(inputs: Inputs): Promise<Tensor>;
}

/**
 * Goes on from a prompt by a model that tells logits [1, steps, vocabulary] of the token after each of tokens i32
 * [1, steps], where no step sees later ones, as `gpt`. Every token is predicted from the last `context` ones anew, padded
 * to so many. Returns the new tokens alone, the same for the same seed. `FLATMIN_ARGUMENT` for an empty prompt.
 */
export async function writeTokens(
  model: Writing,
  prompt: Int32Array,
  options: WriteOptions,
): Promise<Int32Array> {
  if (typeof Object(model).predictAsync !== 'function') {
    throw wrongArgument('The model of writeTokens', 'a trained model', model);
  }
  if (!isInt32Array(prompt) || prompt.length === 0) {
    throw wrongArgument('The prompt of writeTokens', 'an Int32Array of at least one token', prompt);
  }
  checkNames<WriteOptions>('writeTokens', options, {
    count: true,
    context: true,
    temperature: true,
    topK: true,
    seed: true,
  });
  const { count, context, seed = 0, ...sampling } = options;
  checkWhole('count of writeTokens', count, 1);
  checkWhole('context of writeTokens', context, 1);
  checkWhole('seed of writeTokens', seed, 0);
  checkSampling(sampling);
  const seen = [...prompt.subarray(-context)];
  const written = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const data = new Int32Array(context).fill(-1);
    const recent = seen.slice(-context);
    data.set(recent);
    const logits = await model.predictAsync({ data, shape: [1, context] });
    const own = logitsAfter(Object(logits), { step: recent.length - 1, context });
    written[i] = drawToken(own, sampling, new Draws(seed, STREAM.write, i));
    seen.push(written[i]);
  }
  return written;
}

function checkSampling({ temperature = 1, topK = 1 }: Sampling): void {
  if (!(typeof temperature === 'number' && temperature >= 0 && Number.isFinite(temperature))) {
    throw wrongArgument('temperature', 'a finite number of at least 0', temperature);
  }
  checkWhole('topK', topK, 1);
}

/** Those of one step. */
function logitsAfter(
  { data, shape = [] }: Partial<Tensor>,
  { step, context }: { readonly step: number; readonly context: number },
): Float32Array {
  const [rows, steps, vocabulary] = shape;
  if (data === undefined || shape.length !== 3 || rows !== 1 || steps !== context) {
    throw new FlatminError(
      'FLATMIN_SHAPE',
      `writeTokens expects a model whose outputs are [1, ${context}, vocabulary], got [${shape.join(', ')}]`,
    );
  }
  return data.subarray(step * vocabulary, (step + 1) * vocabulary);
}

/** A token by its logits; of equal ones the first is the likelier. */
function drawToken(
  logits: Float32Array,
  { temperature = 1, topK = logits.length }: Sampling,
  draws: Draws,
): number {
  const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
  const [best] = order;
  if (temperature === 0) return best;
  const kept = order.slice(0, topK);
  const weights = kept.map((token) => Math.exp((logits[token] - logits[best]) / temperature));
  let left = draws.between(
    0,
    weights.reduce((sum, w) => sum + w, 0),
  );
  const chosen = weights.findIndex((w) => {
    left -= w;
    return left < 0;
  });
  return chosen === -1 ? best : kept[chosen];
}
