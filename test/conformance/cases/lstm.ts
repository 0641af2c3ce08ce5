/** The LSTM's equations, unit by unit, in doubles, with and without a projection, from either end. */
import { pushforward } from '../../../src/autodiff/gradients.ts';
import type { Value } from '../../../src/graph/graph.ts';
import { lstm } from '../../../src/ops/lstm.ts';
import { f32, i32, random } from '../data.ts';
import type { Case, Tensor } from '../harness.ts';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

interface Size {
  readonly batch: number;
  readonly steps: number;
  readonly inputs: number;
  readonly hidden: number;
  /** Of h; without it h is the units. */
  readonly projection?: number;
  /** Of each row; all of them whole without. */
  readonly lengths?: readonly number[];
  readonly reverse?: boolean;
}

const dot = (row: number, weight: Float64Array, x: readonly number[]): number =>
  x.reduce((sum, v, p) => sum + weight[row * x.length + p] * v, 0);

/** h of every step: gates in the order i, f, g, o. */
function outputs(
  { batch, steps, inputs, hidden, projection, lengths, reverse = false }: Size,
  [x, wx, wh, bias, wp]: readonly Float64Array[],
): number[] {
  const width = projection ?? hidden;
  const y = Array<number>(batch * steps * width).fill(0);
  for (let b = 0; b < batch; b++) {
    const length = Math.max(0, Math.min(steps, lengths?.[b] ?? steps));
    const order = Array.from({ length }, (_, t) => t);
    let h = Array<number>(width).fill(0);
    let c = Array<number>(hidden).fill(0);
    for (const t of reverse ? order.reverse() : order) {
      const at = b * steps + t;
      const xt = [...x.subarray(at * inputs, (at + 1) * inputs)];
      const before = h;
      const gate = (k: number, j: number): number => {
        const row = k * hidden + j;
        return bias[row] + dot(row, wx, xt) + dot(row, wh, before);
      };
      const units = c.map((cell, j) => {
        const next = sigmoid(gate(1, j)) * cell + sigmoid(gate(0, j)) * Math.tanh(gate(2, j));
        return { cell: next, out: sigmoid(gate(3, j)) * Math.tanh(next) };
      });
      c = units.map(({ cell }) => cell);
      const m = units.map(({ out }) => out);
      h = projection === undefined ? m : before.map((_, p) => dot(p, wp, m));
      y.splice(at * width, width, ...h);
    }
  }
  return y;
}

/** x, W, U, b and, of a projection, P, or the like. */
function operands({ batch, steps, inputs, hidden, projection }: Size, seed: number): Tensor[] {
  const scale = 1 / Math.sqrt(hidden);
  const shapes: [number[], number][] = [
    [[batch, steps, inputs], 2],
    [[4 * hidden, inputs], 1],
    [[4 * hidden, projection ?? hidden], 2 * scale],
    [[4 * hidden], 1],
    ...(projection === undefined ? [] : [[[projection, hidden], 2 * scale] as [number[], number]]),
  ];
  return shapes.map(([shape, bound], i) => {
    const size = shape.reduce((n, d) => n * d, 1);
    return f32(shape, random(size, { seed: seed + i, low: -bound, high: bound }));
  });
}

const nameOf = ({ batch, steps, inputs, hidden, projection, lengths, reverse }: Size): string =>
  `[${batch}, ${steps}, ${inputs}] → ${hidden}${projection === undefined ? '' : ` → ${projection}`}${lengths ? `, lengths ${lengths}` : ''}${reverse ? ', in reverse' : ''}`;
const endsOf = ({ batch, lengths }: Size): Tensor[] =>
  lengths === undefined ? [] : [i32([batch], lengths)];
const weightsOf = ({ projection }: Size): number => (projection === undefined ? 4 : 5);

/** The LSTM of a size over its operands, and lengths after `ends` of them. */
function layer(size: Size, given: readonly Value[], ends: number): Value {
  const [x, input, recurrent, bias, projection] = given.slice(0, weightsOf(size));
  return lstm(
    x,
    { input, recurrent, bias, projection },
    { lengths: given[ends], reverse: size.reverse ?? false },
  );
}

function one(size: Size): Case {
  const count = weightsOf(size);
  return {
    op: 'lstm',
    name: nameOf(size),
    ...(size.lengths?.some((n) => n < 0) && { once: 'step by step, lengths are from 0' }),
    inputs: [...operands(size, 3), ...endsOf(size)],
    build: (given) => [layer(size, given, count)],
    oracle: (given) => [outputs(size, given)],
    gradient: Array.from({ length: count }, (_, i) => i),
    // Rounding of one step goes through the next ones.
    tolerance: { rel: 1e-5, abs: 2e-6 },
    gradientTolerance: { rel: 1e-5, abs: 1e-5 * Math.max(1, Math.sqrt(size.batch * size.steps)) },
  };
}

/** The derivative along a direction of all weights, by differences of the equations, whose error is of the fourth order. */
function tangent(size: Size): Case {
  const H = 1e-4;
  const count = weightsOf(size);
  return {
    op: 'lstmTangent',
    name: nameOf(size),
    inputs: [...operands(size, 3), ...operands(size, 13), ...endsOf(size)],
    build: (given) => {
      const y = layer(size, given, 2 * count);
      return [pushforward(y, given.slice(0, count), given.slice(count, 2 * count))];
    },
    oracle: (given) => {
      const at = (h: number) =>
        outputs(
          size,
          given.slice(0, count).map((v, k) => v.map((p, i) => p + h * given[count + k][i])),
        );
      const [far, near, below, lowest] = [at(2 * H), at(H), at(-H), at(-2 * H)];
      return [near.map((y, i) => (8 * (y - below[i]) - (far[i] - lowest[i])) / (12 * H))];
    },
    tolerance: { rel: 2e-5, abs: 1e-5 },
  };
}

const sizes: Size[] = [
  { batch: 1, steps: 1, inputs: 1, hidden: 1 },
  { batch: 0, steps: 3, inputs: 2, hidden: 2 },
  { batch: 2, steps: 0, inputs: 2, hidden: 3 },
  { batch: 1, steps: 4, inputs: 3, hidden: 2 },
  { batch: 3, steps: 1, inputs: 4, hidden: 5 },
  { batch: 2, steps: 5, inputs: 3, hidden: 4, lengths: [5, 2] },
  { batch: 3, steps: 4, inputs: 2, hidden: 3, lengths: [1, 0, 4] },
  { batch: 2, steps: 3, inputs: 2, hidden: 3, lengths: [0, 0] },
  // Lengths beyond what there is are cut.
  { batch: 2, steps: 3, inputs: 2, hidden: 2, lengths: [9, -4] },
  { batch: 5, steps: 6, inputs: 7, hidden: 9, lengths: [6, 3, 1, 5, 2] },
  { batch: 4, steps: 3, inputs: 5, hidden: 8 },
  { batch: 1, steps: 7, inputs: 3, hidden: 16 },
  { batch: 6, steps: 3, inputs: 5, hidden: 17, lengths: [3, 3, 2, 3, 1, 2] },
  { batch: 3, steps: 4, inputs: 6, hidden: 33 },
  { batch: 2, steps: 15, inputs: 20, hidden: 70, lengths: [15, 11] },
  { batch: 3, steps: 4, inputs: 2, hidden: 3, lengths: [1, 0, 4], reverse: true },
  { batch: 2, steps: 3, inputs: 2, hidden: 2, lengths: [9, -4], reverse: true },
  { batch: 6, steps: 5, inputs: 5, hidden: 17, lengths: [3, 5, 2, 3, 1, 2], reverse: true },
  { batch: 1, steps: 4, inputs: 3, hidden: 8, reverse: true },
  { batch: 1, steps: 1, inputs: 1, hidden: 1, projection: 1 },
  { batch: 0, steps: 3, inputs: 2, hidden: 3, projection: 2 },
  { batch: 2, steps: 0, inputs: 2, hidden: 3, projection: 2 },
  { batch: 3, steps: 4, inputs: 2, hidden: 5, projection: 3, lengths: [4, 0, 2] },
  { batch: 2, steps: 3, inputs: 3, hidden: 16, projection: 16 },
  { batch: 5, steps: 4, inputs: 6, hidden: 33, projection: 17, lengths: [4, 2, 1, 3, 4] },
  { batch: 3, steps: 4, inputs: 2, hidden: 3, projection: 7, lengths: [2, 4, 1], reverse: true },
  { batch: 2, steps: 6, inputs: 5, hidden: 40, projection: 70, lengths: [6, 3], reverse: true },
];

export const cases: Case[] = [...sizes.map(one), ...sizes.map(tangent)];
