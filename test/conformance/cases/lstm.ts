/** The LSTM's equations, unit by unit, in doubles. */
import { pushforward } from '../../../src/autodiff/gradients.ts';
import { lstm } from '../../../src/ops/lstm.ts';
import { f32, i32, random } from '../data.ts';
import type { Case, Tensor } from '../harness.ts';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

interface Size {
  readonly batch: number;
  readonly steps: number;
  readonly inputs: number;
  readonly hidden: number;
  /** Of each row; all of them whole without. */
  readonly lengths?: readonly number[];
}

/** h of every step: gates in the order i, f, g, o. */
function outputs(
  { batch, steps, inputs, hidden, lengths }: Size,
  [x, wx, wh, bias]: readonly Float64Array[],
): number[] {
  const y: number[] = [];
  for (let b = 0; b < batch; b++) {
    let h = Array<number>(hidden).fill(0);
    let c = Array<number>(hidden).fill(0);
    for (let t = 0; t < steps; t++) {
      if (t >= (lengths?.[b] ?? steps)) {
        y.push(...h.map(() => 0));
        continue;
      }
      const at = (b * steps + t) * inputs;
      const gate = (k: number, j: number): number => {
        const row = k * hidden + j;
        let sum = bias[row];
        for (let i = 0; i < inputs; i++) sum += wx[row * inputs + i] * x[at + i];
        for (let p = 0; p < hidden; p++) sum += wh[row * hidden + p] * h[p];
        return sum;
      };
      const units = h.map((_, j) => {
        const cell = sigmoid(gate(1, j)) * c[j] + sigmoid(gate(0, j)) * Math.tanh(gate(2, j));
        return { cell, out: sigmoid(gate(3, j)) * Math.tanh(cell) };
      });
      h = units.map(({ out }) => out);
      c = units.map(({ cell }) => cell);
      y.push(...h);
    }
  }
  return y;
}

/** x, W, U and b, or the like. */
function operands({ batch, steps, inputs, hidden }: Size, seed: number): Tensor[] {
  const scale = 1 / Math.sqrt(hidden);
  const shapes: [number[], number][] = [
    [[batch, steps, inputs], 2],
    [[4 * hidden, inputs], 1],
    [[4 * hidden, hidden], 2 * scale],
    [[4 * hidden], 1],
  ];
  return shapes.map(([shape, bound], i) => {
    const size = shape.reduce((n, d) => n * d, 1);
    return f32(shape, random(size, { seed: seed + i, low: -bound, high: bound }));
  });
}

const nameOf = ({ batch, steps, inputs, hidden, lengths }: Size): string =>
  `[${batch}, ${steps}, ${inputs}] → ${hidden}${lengths ? `, lengths ${lengths}` : ''}`;
const endsOf = ({ batch, lengths }: Size): Tensor[] =>
  lengths === undefined ? [] : [i32([batch], lengths)];

function one(size: Size): Case {
  return {
    op: 'lstm',
    name: nameOf(size),
    inputs: [...operands(size, 3), ...endsOf(size)],
    build: ([x, input, recurrent, bias, ends]) => [lstm(x, { input, recurrent, bias }, ends)],
    oracle: (given) => [outputs(size, given)],
    gradient: [0, 1, 2, 3],
    // Rounding of one step goes through the next ones.
    tolerance: { rel: 1e-5, abs: 2e-6 },
    gradientTolerance: { rel: 1e-5, abs: 1e-5 * Math.max(1, Math.sqrt(size.batch * size.steps)) },
  };
}

/** The derivative along a direction of all four, by differences of the equations, whose error is of the fourth order. */
function tangent(size: Size): Case {
  const H = 1e-4;
  return {
    op: 'lstmTangent',
    name: nameOf(size),
    inputs: [...operands(size, 3), ...operands(size, 13), ...endsOf(size)],
    build: ([x, input, recurrent, bias, dx, dInput, dRecurrent, dBias, ends]) => [
      pushforward(
        lstm(x, { input, recurrent, bias }, ends),
        [x, input, recurrent, bias],
        [dx, dInput, dRecurrent, dBias],
      ),
    ],
    oracle: (given) => {
      const at = (h: number) =>
        outputs(
          size,
          given.slice(0, 4).map((v, k) => v.map((p, i) => p + h * given[4 + k][i])),
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
];

export const cases: Case[] = [...sizes.map(one), ...sizes.map(tangent)];
