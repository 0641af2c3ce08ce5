import { checkNames } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import type { Numbers, Operand } from '../graph/kernel.ts';
import type { Shape, TensorType } from '../graph/types.ts';
import { plus } from './binary.ts';
import { defineOp, expectType, f32, graphOf } from './define.ts';
import { linear, matmul } from './linear.ts';
import { reshape } from './reshape.ts';
import { previousSteps } from './sequence.ts';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Gates in a row of 4H numbers: input i, forget f, cell g, output o. */
const GATES = 4;

const rows = (x: Value): Value => reshape(x, [-1, x.shape[2]]);

function expectRecurrence(op: string, z: TensorType, weight: TensorType, lengths?: TensorType) {
  const hidden = weight.shape[1] ?? 0;
  expectType(op, 'a recurrent weight', weight, 'f32', [GATES * hidden, hidden]);
  expectType(op, 'gates of [batch, steps, …]', z, 'f32', [null, null, GATES * hidden]);
  if (lengths !== undefined) expectType(op, 'lengths', lengths, 'i32', [z.shape[0]]);
}

const hiddenType = ([batch, steps, gates]: Shape): TensorType => f32(batch, steps, gates / GATES);

/** body(row, step, where the step's hidden units begin) for the steps of every row; outputs past its end are 0. */
function forSteps(
  { shape: [batch, steps, gates] }: Operand,
  lengths: Operand | undefined,
  outputs: readonly Operand[],
  body: (t: number, at: number) => void,
  backwards = false,
): void {
  const hidden = gates / GATES;
  for (let b = 0; b < batch; b++) {
    const length = Math.max(0, Math.min(steps, lengths?.data[b] ?? steps));
    for (const { data, size } of outputs) {
      const each = size / batch / steps;
      data.fill(0, (b * steps + length) * each, (b + 1) * steps * each);
    }
    for (let k = 0; k < length; k++) {
      const t = backwards ? length - 1 - k : k;
      body(t, (b * steps + t) * hidden);
    }
  }
}

/** z of gate `gate` of unit j, plus its row of the recurrent weight times y of the step before. */
function recurrent(
  z: Operand,
  weight: Operand,
  y: Numbers,
  { t, at, gate, j }: { t: number; at: number; gate: number; j: number },
): number {
  const hidden = weight.shape[1];
  const row = gate * hidden + j;
  let sum = z.data[GATES * at + row];
  if (t === 0) return sum;
  for (let p = 0; p < hidden; p++) sum += weight.data[row * hidden + p] * y[at - hidden + p];
  return sum;
}

const lstmOp = defineOp({
  name: 'lstm',
  infer: ([z, weight, lengths]) => {
    expectRecurrence('lstm', z, weight, lengths);
    return [hiddenType(z.shape), z, hiddenType(z.shape)];
  },
  // Steps of a sequence mix, sequences do not.
  runs: ({ inputs: [z] }, input) => (input === 0 ? z.shape[0] : 1),
  inPlace: [[0, 1]],
  gradient: ({ inputs: [, weight, lengths], outputs: [h, gates, cells] }, [dh]) => {
    if (dh === undefined) return undefined;
    const ends = lengths === undefined ? [] : [lengths];
    const [dz] = dh.graph.add(lstmGradOp, [dh, gates, cells, weight, ...ends], {});
    return [dz, matmul(rows(dz), rows(previousSteps(h)), { transA: true }), undefined];
  },
  tangent: ({ inputs: [z, weight, lengths], outputs: [h, gates, cells] }, [dz, dweight]) => {
    const moved = dweight && reshape(linear(rows(previousSteps(h)), dweight), z.shape);
    const du = plus(dz, moved);
    const ends = lengths === undefined ? [] : [lengths];
    return [du?.graph.add(lstmTangentOp, [du, gates, cells, weight, ...ends], {})[0]];
  },
  tap: ({ inputs: [z, weight], outputs: [h], attrs }) => ({
    kind: 'linear',
    input: rows(previousSteps(h)),
    preActivation: z,
    weight,
    bias: undefined,
    attrs,
  }),
  kernel:
    ({ inputs: [z, weight, lengths], outputs: [h, gates, cells] }) =>
    () => {
      const hidden = weight.shape[1];
      forSteps(z, lengths, [h, gates, cells], (t, at) => {
        for (let j = 0; j < hidden; j++) {
          const sum = (gate: number) => recurrent(z, weight, h.data, { t, at, gate, j });
          const [i, f, g, o] = [
            sigmoid(sum(0)),
            sigmoid(sum(1)),
            Math.tanh(sum(2)),
            sigmoid(sum(3)),
          ];
          const before = t === 0 ? 0 : cells.data[at - hidden + j];
          const c = f * before + i * g;
          [i, f, g, o].forEach((gate, k) => {
            gates.data[GATES * at + k * hidden + j] = gate;
          });
          cells.data[at + j] = c;
          h.data[at + j] = o * Math.tanh(c);
        }
      });
    },
});

/** The gates of unit j of the step at `at`, and its cell before and after it. */
function unitOf(gates: Operand, cells: Operand, hidden: number, t: number, at: number, j: number) {
  const gate = (k: number) => gates.data[GATES * at + k * hidden + j];
  const before = t === 0 ? 0 : cells.data[at - hidden + j];
  return {
    i: gate(0),
    f: gate(1),
    g: gate(2),
    o: gate(3),
    before,
    y: Math.tanh(cells.data[at + j]),
  };
}

const lstmGradOp = defineOp({
  name: 'lstmGrad',
  infer: ([, gates, , weight, lengths]) => {
    expectRecurrence('lstmGrad', gates, weight, lengths);
    return [gates];
  },
  inPlace: [[1, 0]],
  kernel:
    ({ inputs: [dh, gates, cells, weight, lengths], outputs: [dz] }) =>
    () => {
      const hidden = weight.shape[1];
      const later = new Float64Array(hidden);
      const dcells = new Float64Array(hidden);
      let end = true;
      const step = (t: number, at: number): void => {
        if (end) for (const carried of [later, dcells]) carried.fill(0);
        for (let j = 0; j < hidden; j++) {
          const { i, f, g, o, before, y } = unitOf(gates, cells, hidden, t, at, j);
          const d = dh.data[at + j] + later[j];
          const dc = dcells[j] + d * o * (1 - y * y);
          const parts = [
            dc * g * i * (1 - i),
            dc * before * f * (1 - f),
            dc * i * (1 - g * g),
            d * y * o * (1 - o),
          ];
          parts.forEach((part, k) => {
            dz.data[GATES * at + k * hidden + j] = part;
          });
          dcells[j] = dc * f;
        }
        later.fill(0);
        for (let k = 0; k < GATES * hidden; k++) {
          const part = dz.data[GATES * at + k];
          for (let j = 0; j < hidden; j++) later[j] += part * weight.data[k * hidden + j];
        }
        end = t === 0;
      };
      forSteps(gates, lengths, [dz], step, true);
    },
});

const lstmTangentOp = defineOp({
  name: 'lstmTangent',
  infer: ([du, , , weight, lengths]) => {
    expectRecurrence('lstmTangent', du, weight, lengths);
    return [hiddenType(du.shape)];
  },
  kernel:
    ({ inputs: [du, gates, cells, weight, lengths], outputs: [dh] }) =>
    () => {
      const hidden = weight.shape[1];
      const dcells = new Float64Array(hidden);
      forSteps(du, lengths, [dh], (t, at) => {
        if (t === 0) dcells.fill(0);
        for (let j = 0; j < hidden; j++) {
          const sum = (gate: number) => recurrent(du, weight, dh.data, { t, at, gate, j });
          const { i, f, g, o, before, y } = unitOf(gates, cells, hidden, t, at, j);
          const [di, df] = [sum(0) * i * (1 - i), sum(1) * f * (1 - f)];
          const [dg, dout] = [sum(2) * (1 - g * g), sum(3) * o * (1 - o)];
          const dc = f * dcells[j] + before * df + g * di + i * dg;
          dcells[j] = dc;
          dh.data[at + j] = o * (1 - y * y) * dc + y * dout;
        }
      });
    },
});

export interface LstmWeights {
  /** [4H, in], as PyTorch's `weight_ih_l0`. */
  readonly input: Value;
  /** [4H, H], as PyTorch's `weight_hh_l0`. */
  readonly recurrent: Value;
  /** [4H], the sum of PyTorch's two. */
  readonly bias: Value;
}

/**
 * A long short-term memory over x [batch, steps, in] → [batch, steps, H] (Hochreiter & Schmidhuber 1997, with forget
 * gates), h₀ = c₀ = 0, gates in PyTorch's order i, f, g, o:
 * (i, f, g, o) = (σ, σ, tanh, σ)(W_in x_t + W_rec h_{t−1} + b), c_t = f ⊙ c_{t−1} + i ⊙ g, h_t = o ⊙ tanh c_t.
 * With `lengths` i32 [batch] a row ends after so many steps and its outputs past them are 0.
 */
export function lstm(x: Value, weights: LstmWeights, lengths?: Value): Value {
  checkNames<LstmWeights>('lstm', weights, { input: true, recurrent: true, bias: true });
  const { input, recurrent, bias } = weights;
  graphOf('lstm', x, input, recurrent, bias, lengths === undefined ? x : lengths);
  const ends = lengths === undefined ? [] : [lengths];
  return x.graph.add(lstmOp, [linear(x, input, bias), recurrent, ...ends], {})[0];
}
