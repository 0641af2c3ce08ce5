import { checkNames } from '../arguments.ts';
import type { Value } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import type { Shape, TensorType } from '../graph/types.ts';
import { add, mul, plus } from './binary.ts';
import { split } from './concat.ts';
import { defineOp, expectType, f32, graphOf } from './define.ts';
import { fill } from './fill.ts';
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
import { sigmoid as sigmoidOf, tanh } from './unary.ts';

/** With `projected` h_t is not the units o ⊙ tanh c_t but a projection of them. */
type Attrs = { projected: number; reverse: number };

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Gates in a row of 4H numbers: input i, forget f, cell g, output o. */
const GATES = 4;

const cellsType = ([batch, steps, gates]: Shape): TensorType => f32(batch, steps, gates / GATES);

/**
 * The type of h [batch, steps, P] for gates [batch, steps, 4H], a recurrent weight [4H, P], a projection [P, H] where
 * there is one, P = H where there is none, and lengths.
 */
function outputType(
  op: string,
  z: TensorType,
  [weight, projection, lengths]: readonly (TensorType | undefined)[],
): TensorType {
  const width = weight?.shape[1] ?? 0;
  const hidden = projection === undefined ? width : (projection.shape[1] ?? 0);
  if (weight) expectType(op, 'a recurrent weight', weight, 'f32', [GATES * hidden, width]);
  if (projection) expectType(op, 'a projection', projection, 'f32', [width, hidden]);
  expectType(op, 'gates of [batch, steps, …]', z, 'f32', [null, null, GATES * hidden]);
  if (lengths) expectType(op, 'lengths', lengths, 'i32', [z.shape[0]]);
  return f32(z.shape[0], z.shape[1], width);
}

/** What stands after gates: the recurrent weight, of a projected LSTM the projection and `more`, and lengths. */
function given<T>(inputs: readonly T[], { projected }: Attrs, more: 0 | 1) {
  const [weight, ...rest] = inputs;
  const [projection, offset] = projected ? rest : [];
  return { weight, projection, offset, lengths: rest[projected ? 1 + more : 0] as T | undefined };
}

const lstmOp = defineOp<Attrs>({
  name: 'lstm',
  infer: ([z, ...others], attrs) => {
    const { weight, projection, offset, lengths } = given(others, attrs, 1);
    const h = outputType('lstm', z, [weight, projection, lengths]);
    const cells = cellsType(z.shape);
    if (!attrs.projected) return [h, z, cells];
    if (offset) expectType('lstm', 'an offset', offset, 'f32', h.shape);
    return [h, z, cells, cells];
  },
  // Steps of a sequence mix, sequences do not.
  runs: ({ inputs: [z], attrs }, input) =>
    input === 0 || (attrs.projected && input === 3) ? z.shape[0] : 1,
  inPlace: [[0, 1]],
  gradient: ({ inputs: [, ...others], outputs: [h, gates, cells, units], attrs }, [dh]) => {
    if (dh === undefined) return undefined;
    const { weight, projection, lengths } = given(others, attrs, 1);
    const operands = [weight, projection, lengths].filter((x) => x !== undefined);
    const [dz, dy] = dh.graph.add(lstmGradOp, [dh, gates, cells, ...operands], attrs);
    const dweight = matmul(rows(dz), rows(previousSteps(h, attrs)), { transA: true });
    if (!attrs.projected) return [dz, dweight, undefined];
    return [dz, dweight, matmul(rows(dy), rows(units), { transA: true }), dy, undefined];
  },
  tangent: (
    { inputs: [z, ...others], outputs: [h, gates, cells, units], attrs },
    [dz, dweight, dprojection, doffset],
  ) => {
    const { graph } = h;
    const { weight, projection, lengths } = given(others, attrs, 1);
    const ends = lengths === undefined ? [] : [lengths];
    const moved = (x: Value, weight: Value | undefined, shape: Shape) =>
      weight && reshape(linear(rows(x), weight), shape);
    const du = plus(dz, moved(previousSteps(h, attrs), dweight, z.shape));
    if (projection === undefined) {
      return [du && graph.add(lstmTangentOp, [du, gates, cells, weight, ...ends], attrs)[0]];
    }
    const dr = plus(doffset, moved(units, dprojection, h.shape));
    if ((du ?? dr) === undefined) return undefined;
    const operands = [gates, cells, weight, projection, dr ?? fill(graph, h.shape, 0), ...ends];
    return graph.add(lstmTangentOp, [du ?? fill(graph, z.shape, 0), ...operands], attrs);
  },
  tap: ({ inputs: [z, weight, projection, offset], outputs: [h, , , units], attrs }) => {
    const common = { kind: 'linear', bias: undefined, attrs } as const;
    const recurrent = {
      ...common,
      input: rows(previousSteps(h, attrs)),
      preActivation: z,
      weight,
    };
    if (!attrs.projected) return recurrent;
    return [
      recurrent,
      { ...common, input: rows(units), preActivation: offset, weight: projection },
    ];
  },
  kernel:
    ({ inputs: [z, ...others], outputs: [h, gates, cells, ...more], attrs }) =>
    () => {
      const { weight, projection, offset, lengths } = given(others, attrs, 1);
      const hidden = cells.shape[2];
      const width = weight.shape[1];
      const [units = h] = more;
      const walk = { lengths, reverse: attrs.reverse };
      forSteps(z.shape, walk, [h, gates, cells, ...more], (at, before) => {
        for (let j = 0; j < hidden; j++) {
          const sum = (gate: number) => {
            const row = gate * hidden + j;
            return z.data[GATES * at * hidden + row] + rowTimes(weight, row, h.data, before);
          };
          const [i, f, g, o] = [
            sigmoid(sum(0)),
            sigmoid(sum(1)),
            Math.tanh(sum(2)),
            sigmoid(sum(3)),
          ];
          const c = f * (before === -1 ? 0 : cells.data[before * hidden + j]) + i * g;
          [i, f, g, o].forEach((gate, k) => {
            gates.data[(GATES * at + k) * hidden + j] = gate;
          });
          cells.data[at * hidden + j] = c;
          units.data[at * hidden + j] = o * Math.tanh(c);
        }
        if (projection === undefined) return;
        for (let p = 0; p < width; p++) {
          h.data[at * width + p] =
            offset.data[at * width + p] + rowTimes(projection, p, units.data, at);
        }
      });
    },
});

/** The gates of unit j of the step at `at`, and its cell before and after it. */
function unitOf(gates: Operand, cells: Operand, at: number, before: number, j: number) {
  const hidden = cells.shape[2];
  const gate = (k: number) => gates.data[(GATES * at + k) * hidden + j];
  return {
    i: gate(0),
    f: gate(1),
    g: gate(2),
    o: gate(3),
    before: before === -1 ? 0 : cells.data[before * hidden + j],
    y: Math.tanh(cells.data[at * hidden + j]),
  };
}

const lstmGradOp = defineOp<Attrs>({
  name: 'lstmGrad',
  infer: ([, gates, , ...others], attrs) => {
    const { weight, projection, lengths } = given(others, attrs, 0);
    const h = outputType('lstmGrad', gates, [weight, projection, lengths]);
    return attrs.projected ? [gates, h] : [gates];
  },
  inPlace: [[1, 0]],
  kernel:
    ({ inputs: [dh, gates, cells, ...others], outputs: [dz, ...more], attrs }) =>
    () => {
      const { weight, projection, lengths } = given(others, attrs, 0);
      const hidden = cells.shape[2];
      const width = weight.shape[1];
      const later = new Float64Array(width);
      const dcells = new Float64Array(hidden);
      const dunits = projection === undefined ? later : new Float64Array(hidden);
      const walk = { lengths, reverse: attrs.reverse, backwards: true };
      forSteps(gates.shape, walk, [dz, ...more], (at, before) => {
        for (let p = 0; p < width; p++) later[p] += dh.data[at * width + p];
        if (projection !== undefined) {
          more[0].data.set(later, at * width);
          timesColumns(projection, more[0].data, at, dunits);
        }
        for (let j = 0; j < hidden; j++) {
          const unit = unitOf(gates, cells, at, before, j);
          const { i, f, g, o, y } = unit;
          const d = dunits[j];
          const dc = dcells[j] + d * o * (1 - y * y);
          const parts = [
            dc * g * i * (1 - i),
            dc * unit.before * f * (1 - f),
            dc * i * (1 - g * g),
            d * y * o * (1 - o),
          ];
          parts.forEach((part, k) => {
            dz.data[(GATES * at + k) * hidden + j] = part;
          });
          dcells[j] = dc * f;
        }
        if (before !== -1) timesColumns(weight, dz.data, at, later);
        else for (const carried of [later, dcells]) carried.fill(0);
      });
    },
});

const lstmTangentOp = defineOp<Attrs>({
  name: 'lstmTangent',
  infer: ([du, , , ...others], attrs) => {
    const { weight, projection, offset, lengths } = given(others, attrs, 1);
    const h = outputType('lstmTangent', du, [weight, projection, lengths]);
    if (offset) expectType('lstmTangent', 'an offset', offset, 'f32', h.shape);
    return [h];
  },
  kernel:
    ({ inputs: [du, gates, cells, ...others], outputs: [dh], attrs }) =>
    () => {
      const { weight, projection, offset, lengths } = given(others, attrs, 1);
      const hidden = cells.shape[2];
      const width = weight.shape[1];
      const dcells = new Float64Array(hidden);
      const dunits = new Float64Array(hidden);
      forSteps(du.shape, { lengths, reverse: attrs.reverse }, [dh], (at, before) => {
        if (before === -1) dcells.fill(0);
        for (let j = 0; j < hidden; j++) {
          const sum = (gate: number) => {
            const row = gate * hidden + j;
            return du.data[GATES * at * hidden + row] + rowTimes(weight, row, dh.data, before);
          };
          const unit = unitOf(gates, cells, at, before, j);
          const { i, f, g, o, y } = unit;
          const [di, df] = [sum(0) * i * (1 - i), sum(1) * f * (1 - f)];
          const [dg, dout] = [sum(2) * (1 - g * g), sum(3) * o * (1 - o)];
          const dc = f * dcells[j] + unit.before * df + g * di + i * dg;
          dcells[j] = dc;
          dunits[j] = o * (1 - y * y) * dc + y * dout;
        }
        for (let p = 0; p < width; p++) {
          dh.data[at * width + p] =
            projection === undefined
              ? dunits[p]
              : offset.data[at * width + p] + rowTimes(projection, p, dunits, 0);
        }
      });
    },
});

export interface LstmWeights {
  /** [4H, in], as PyTorch's `weight_ih_l0`. */
  readonly input: Value;
  /** [4H, P], as PyTorch's `weight_hh_l0`. */
  readonly recurrent: Value;
  /** [4H], the sum of PyTorch's two. */
  readonly bias: Value;
  /** [P, H], as PyTorch's `weight_hr_l0`; without it P = H. */
  readonly projection?: Value | undefined;
}

/**
 * A long short-term memory over x [batch, steps, in] → [batch, steps, P] (Hochreiter & Schmidhuber 1997, with forget
 * gates), h₀ = c₀ = 0, gates in PyTorch's order i, f, g, o:
 * (i, f, g, o) = (σ, σ, tanh, σ)(W_in x_t + W_rec h_{t−1} + b), c_t = f ⊙ c_{t−1} + i ⊙ g, h_t = o ⊙ tanh c_t, with a
 * projection h_t = W_proj(o ⊙ tanh c_t) (Sak, Senior & Beaufays 2014).
 */
export function lstm(x: Value, weights: LstmWeights, options: SequenceOptions = {}): Value {
  checkNames<LstmWeights>('lstm', weights, {
    input: true,
    recurrent: true,
    bias: true,
    projection: true,
  });
  const { input, recurrent, bias, projection } = weights;
  const graph = graphOf('lstm', x, input, recurrent, bias, projection ?? bias);
  const { ends, attrs } = sequenceOf('lstm', x, options);
  const z = linear(x, input, bias);
  if (graph.unrolled) return stepByStep(z, weights, options);
  if (projection === undefined) {
    return graph.add(lstmOp, [z, recurrent, ...ends], { projected: 0, ...attrs })[0];
  }
  // Its gradient is that of h_t as the later steps have it too, which those of W_proj and K-FAC take.
  const offset = fill(graph, [...x.shape.slice(0, -1), projection.shape[0] ?? 0], 0);
  const operands = [z, recurrent, projection, offset, ...ends];
  return graph.add(lstmOp, operands, { projected: 1, ...attrs })[0];
}

/** The same recurrence over gates [batch, steps, 4H] of ops that are differentiated twice. */
function stepByStep(
  z: Value,
  { recurrent, projection }: LstmWeights,
  options: SequenceOptions,
): Value {
  const hidden = z.shape[2] / GATES;
  return unrolled(z, options, [recurrent.shape[1], hidden], (z, [h, c]) => {
    const [i, f, g, o] = split(add(z, linear(h, recurrent)), GATES, 1);
    const cell = add(mul(sigmoidOf(f), c), mul(sigmoidOf(i), tanh(g)));
    const units = mul(sigmoidOf(o), tanh(cell));
    return [projection === undefined ? units : linear(units, projection), cell];
  });
}
