/** The LSTM's equations, unit by unit, in doubles. */
import { lstm } from '../../../src/ops/lstm.ts';
import { f32, i32, random } from '../data.ts';
import type { Case } from '../harness.ts';

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

function one(size: Size): Case {
  const { batch, steps, inputs, hidden, lengths } = size;
  const draw = (shape: readonly number[], seed: number, bound: number) =>
    f32(
      shape,
      random(
        shape.reduce((n, d) => n * d, 1),
        { seed, low: -bound, high: bound },
      ),
    );
  const scale = 1 / Math.sqrt(hidden);
  return {
    op: 'lstm',
    name: `[${batch}, ${steps}, ${inputs}] → ${hidden}${lengths ? `, lengths ${lengths}` : ''}`,
    inputs: [
      draw([batch, steps, inputs], 3, 2),
      draw([4 * hidden, inputs], 4, 1),
      draw([4 * hidden, hidden], 5, 2 * scale),
      draw([4 * hidden], 6, 1),
      ...(lengths === undefined ? [] : [i32([batch], lengths)]),
    ],
    build: ([x, input, recurrent, bias, ends]) => [lstm(x, { input, recurrent, bias }, ends)],
    oracle: (given) => [outputs(size, given)],
    gradient: [0, 1, 2, 3],
    // Rounding of one step goes through the next ones.
    tolerance: { rel: 1e-5, abs: 2e-6 },
    gradientTolerance: { rel: 1e-5, abs: 1e-5 * Math.max(1, Math.sqrt(batch * steps)) },
  };
}

export const cases: Case[] = [
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
].map(one);
