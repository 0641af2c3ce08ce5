import { checkNames, checkOneOf } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import type { TensorType } from '../graph/types.ts';
import { add, plus } from './binary.ts';
import { defineOp, expectType, graphOf } from './define.ts';
import { linear, matmul } from './linear.ts';
import {
  forSteps,
  rows,
  rowTimes,
  type SequenceOptions,
  sequenceOf,
  timesColumns,
  unrolled,
} from './recurrence.ts';
import { reshape } from './reshape.ts';
import { previousSteps } from './sequence.ts';
import { relu as reluOf, tanh } from './unary.ts';

type Attrs = { relu: number; reverse: number };

function expectRecurrence(op: string, z: TensorType, weight: TensorType, lengths?: TensorType) {
  const hidden = weight.shape[1] ?? 0;
  expectType(op, 'a recurrent weight', weight, 'f32', [hidden, hidden]);
  expectType(op, 'pre-activations of [batch, steps, …]', z, 'f32', [null, null, hidden]);
  if (lengths !== undefined) expectType(op, 'lengths', lengths, 'i32', [z.shape[0]]);
}

/** φ′ by h = φ(z): 1 − h² of tanh. */
const slope = (h: number, relu: number): number => (relu ? Number(h > 0) : 1 - h * h);

const rnnOp = defineOp<Attrs>({
  name: 'rnn',
  infer: ([z, weight, lengths]) => {
    expectRecurrence('rnn', z, weight, lengths);
    return [z];
  },
  // Steps of a sequence mix, sequences do not.
  runs: ({ inputs: [z] }, input) => (input === 0 ? z.shape[0] : 1),
  inPlace: [[0, 0]],
  gradient: ({ inputs: [, weight, ...ends], outputs: [h], attrs }, [dh]) => {
    if (dh === undefined) return undefined;
    const [dz] = dh.graph.add(rnnGradOp, [dh, h, weight, ...ends], attrs);
    return [dz, matmul(rows(dz), rows(previousSteps(h, attrs)), { transA: true }), undefined];
  },
  tangent: ({ inputs: [z, weight, ...ends], outputs: [h], attrs }, [dz, dweight]) => {
    const moved = dweight && reshape(linear(rows(previousSteps(h, attrs)), dweight), z.shape);
    const du = plus(dz, moved);
    return [du?.graph.add(rnnTangentOp, [du, h, weight, ...ends], attrs)[0]];
  },
  tap: ({ inputs: [z, weight], outputs: [h], attrs }) => ({
    kind: 'linear',
    input: rows(previousSteps(h, attrs)),
    preActivation: z,
    weight,
    bias: undefined,
    attrs,
  }),
  kernel:
    ({ inputs: [z, weight, lengths], outputs: [h], attrs: { relu, reverse } }) =>
    () => {
      const hidden = weight.shape[1];
      forSteps(z.shape, { lengths, reverse }, [h], (at, before) => {
        for (let j = 0; j < hidden; j++) {
          const sum = z.data[at * hidden + j] + rowTimes(weight, j, h.data, before);
          h.data[at * hidden + j] = relu ? Math.max(0, sum) : Math.tanh(sum);
        }
      });
    },
});

const rnnGradOp = defineOp<Attrs>({
  name: 'rnnGrad',
  infer: ([, h, weight, lengths]) => {
    expectRecurrence('rnnGrad', h, weight, lengths);
    return [h];
  },
  inPlace: [[0, 0]],
  kernel:
    ({ inputs: [dh, h, weight, lengths], outputs: [dz], attrs: { relu, reverse } }) =>
    () => {
      const hidden = weight.shape[1];
      const later = new Float64Array(hidden);
      forSteps(h.shape, { lengths, reverse, backwards: true }, [dz], (at, before) => {
        for (let j = 0; j < hidden; j++) {
          const k = at * hidden + j;
          dz.data[k] = (dh.data[k] + later[j]) * slope(h.data[k], relu);
        }
        if (before === -1) later.fill(0);
        else timesColumns(weight, dz.data, at, later);
      });
    },
});

const rnnTangentOp = defineOp<Attrs>({
  name: 'rnnTangent',
  infer: ([du, , weight, lengths]) => {
    expectRecurrence('rnnTangent', du, weight, lengths);
    return [du];
  },
  inPlace: [[0, 0]],
  kernel:
    ({ inputs: [du, h, weight, lengths], outputs: [dh], attrs: { relu, reverse } }) =>
    () => {
      const hidden = weight.shape[1];
      forSteps(h.shape, { lengths, reverse }, [dh], (at, before) => {
        for (let j = 0; j < hidden; j++) {
          const k = at * hidden + j;
          const sum = du.data[k] + rowTimes(weight, j, dh.data, before);
          dh.data[k] = sum * slope(h.data[k], relu);
        }
      });
    },
});

export interface RnnWeights {
  /** [H, in], as PyTorch's `weight_ih_l0`. */
  readonly input: Value;
  /** [H, H], as PyTorch's `weight_hh_l0`. */
  readonly recurrent: Value;
  /** [H], the sum of PyTorch's two. */
  readonly bias: Value;
}

/** φ: tanh, or ReLU. */
export type Activation = 'tanh' | 'relu';

/**
 * A plain recurrent network over x [batch, steps, in] → [batch, steps, H] (Elman 1990), h₀ = 0:
 * h_t = φ(W_in x_t + W_rec h_{t−1} + b).
 */
export function rnn(
  x: Value,
  weights: RnnWeights,
  options: SequenceOptions & { readonly activation?: Activation } = {},
): Value {
  checkNames<RnnWeights>('rnn', weights, { input: true, recurrent: true, bias: true });
  const { input, recurrent, bias } = weights;
  graphOf('rnn', x, input, recurrent, bias);
  const { activation = 'tanh', ...sequence } = options;
  checkOneOf('activation of rnn', activation, ['tanh', 'relu']);
  const { ends, attrs } = sequenceOf('rnn', x, sequence);
  const relu = Number(activation === 'relu');
  if (x.graph.unrolled) {
    const phi = relu ? reluOf : tanh;
    return unrolled(linear(x, input, bias), sequence, [recurrent.shape[0]], (z, [h]) => [
      phi(add(z, linear(h, recurrent))),
    ]);
  }
  return x.graph.add(rnnOp, [linear(x, input, bias), recurrent, ...ends], { relu, ...attrs })[0];
}
