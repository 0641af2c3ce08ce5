import { checkBoolean, checkNames, checkOneOf, checkWhole } from '../../arguments.ts';
import type { Value } from '../../graph/graph.ts';
import { checkProbability } from '../../ops/dropout.ts';
import * as ops from '../../ops/index.ts';
import { lastStep } from '../../ops/sequence.ts';
import { fanInUniform } from '../init.ts';
import type { Layer } from '../layer.ts';
import { named } from './checks.ts';

/** What `rnn` and `lstm` share. */
export interface RecurrentOptions {
  /** Recurrences, each over the outputs of the one before it. Default 1. */
  layers?: number;
  /**
   * Gives every layer a second recurrence, which reads each row from its own last step to its first; the outputs of both
   * stand side by side, the first one's before. Default false.
   */
  bidirectional?: boolean;
  /** Probability of a 0 in the outputs of every layer but the last, while training. Default 0. */
  dropout?: number;
  /**
   * `steps`: the outputs of every step, [batch, steps, …]. `last`: of each row those that its recurrences end with,
   * [batch, …], as PyTorch's h_n of the last layer. Default `steps`.
   */
  output?: 'steps' | 'last';
}

/** Options of a recurrent layer of tanh units. An unknown option is `FLATMIN_ARGUMENT`. */
export interface RnnOptions extends RecurrentOptions {
  /** φ. Default `tanh`. */
  activation?: ops.Activation;
}

/**
 * Options of an LSTM: those of every recurrent layer, and a projection of its units. An unknown option is
 * `FLATMIN_ARGUMENT`.
 */
export interface LstmOptions extends RecurrentOptions {
  /** Size P of the projection of the units; by default there is none and P = hidden. */
  projection?: number;
}

const COMMON = { layers: true, bidirectional: true, dropout: true, output: true } as const;

/**
 * A plain recurrent network over [batch, steps, in] → [batch, steps, hidden], from h₀ = 0 (Elman 1990):
 * h_t = φ(W_ih x_t + b + W_hh h_{t−1}).
 * `weight_ih_l0` [hidden, in], `weight_hh_l0` [hidden, hidden] and `bias_l0` [hidden], one where PyTorch has two, start
 * from U(±1/√hidden); of further layers `…_l1`, of the second direction `…_l0_reverse`. After an `embedding` outputs past
 * a row's last token are 0.
 */
export function rnn(hidden: number, options: RnnOptions = {}): Layer {
  checkNames<RnnOptions>('rnn', options, { ...COMMON, activation: true });
  const { activation = 'tanh', ...common } = options;
  checkOneOf('activation of rnn', activation, ['tanh', 'relu']);
  return recurrent({ name: 'rnn', hidden, gates: 1, common }, (x, weights, sequence) =>
    ops.rnn(x, weights, { activation, ...sequence }),
  );
}

/**
 * A long short-term memory over [batch, steps, in] → [batch, steps, P], from h₀ = c₀ = 0:
 * (i, f, g, o) = (σ, σ, tanh, σ)(W_ih x_t + W_hh h_{t−1} + b), c_t = f ⊙ c_{t−1} + i ⊙ g, h_t = o ⊙ tanh c_t, or
 * with a projection h_t = W_hr(o ⊙ tanh c_t) (Sak, Senior & Beaufays 2014).
 * `weight_ih_l0` [4·hidden, in], `weight_hh_l0` [4·hidden, P], `bias_l0` [4·hidden], one where PyTorch has two, and
 * `weight_hr_l0` [P, hidden] start from U(±1/√hidden); of further layers `…_l1`, of the second direction
 * `…_l0_reverse`. After an `embedding` outputs past a row's last token are 0.
 */
export function lstm(hidden: number, options: LstmOptions = {}): Layer {
  checkNames<LstmOptions>('lstm', options, { ...COMMON, projection: true });
  const { projection, ...common } = options;
  if (projection !== undefined) checkWhole('projection of lstm', projection, 1);
  return recurrent({ name: 'lstm', hidden, gates: 4, projection, common }, ops.lstm);
}

interface Kind {
  readonly name: string;
  readonly hidden: number;
  /** Rows of the weights for each unit. */
  readonly gates: number;
  readonly projection?: number | undefined;
  readonly common: RecurrentOptions;
}

type Recurrence = (x: Value, weights: ops.LstmWeights, options: ops.SequenceOptions) => Value;

function recurrent(
  { name, hidden, gates, projection, common }: Kind,
  recurrence: Recurrence,
): Layer {
  checkWhole(`hidden of ${name}`, hidden, 1);
  const { layers = 1, bidirectional = false, dropout = 0, output = 'steps' } = common;
  checkWhole(`layers of ${name}`, layers, 1);
  checkBoolean(`bidirectional of ${name}`, bidirectional);
  checkProbability(dropout);
  checkOneOf(`output of ${name}`, output, ['steps', 'last']);
  const init = fanInUniform(hidden);
  const layer: Layer = (input, scope) => {
    const { lengths } = scope;
    let x = input;
    for (let l = 0; l < layers; l++) {
      if (l > 0 && dropout > 0 && scope.training) {
        x = ops.dropout(x, { p: dropout, stream: scope.stream() });
      }
      const features = x.shape[x.shape.length - 1] ?? 1;
      const directions = (bidirectional ? [false, true] : [false]).map((reverse) => {
        const param = (tensor: string, ...shape: number[]) =>
          scope.param(`${tensor}_l${l}${reverse ? '_reverse' : ''}`, shape, init);
        const weights = {
          input: param('weight_ih', gates * hidden, features),
          recurrent: param('weight_hh', gates * hidden, projection ?? hidden),
          bias: param('bias', gates * hidden),
          ...(projection !== undefined && { projection: param('weight_hr', projection, hidden) }),
        };
        const y = recurrence(x, weights, { lengths, reverse });
        return output === 'last' && l === layers - 1 ? lastStep(y, { lengths, reverse }) : y;
      });
      x = directions.length === 1 ? directions[0] : ops.concat(directions, -1);
    }
    if (output === 'last') scope.lengths = undefined;
    return x;
  };
  return named(`${name}(${hidden})`, layer);
}
