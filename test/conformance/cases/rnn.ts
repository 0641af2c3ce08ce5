/** The plain recurrent network's equation, unit by unit, in doubles, from either end. */
import { pushforward } from '../../../src/autodiff/gradients.ts';
import type { Value } from '../../../src/graph/graph.ts';
import { type Activation, rnn } from '../../../src/ops/rnn.ts';
import { f32, i32, random } from '../data.ts';
import type { Case, Tensor } from '../harness.ts';

interface Size {
  readonly batch: number;
  readonly steps: number;
  readonly inputs: number;
  readonly hidden: number;
  readonly activation: Activation;
  /** Of each row; all of them whole without. */
  readonly lengths?: readonly number[];
  readonly reverse?: boolean;
}

const PHI = { tanh: Math.tanh, relu: (z: number) => Math.max(0, z) };
const SLOPE = { tanh: (z: number) => 1 - Math.tanh(z) ** 2, relu: (z: number) => Number(z > 0) };

const dot = (row: number, weight: Float64Array, x: readonly number[]): number =>
  x.reduce((sum, v, p) => sum + weight[row * x.length + p] * v, 0);

/** h of every step and its change along the changes of x, W, U and b. */
function outputs(
  { batch, steps, inputs, hidden, activation, lengths, reverse = false }: Size,
  given: readonly Float64Array[],
): { h: number[]; dh: number[] } {
  const [x, wx, wh, bias] = given;
  const [dx, dwx, dwh, dbias] = given.slice(4, 8);
  const y = { h: Array<number>(batch * steps * hidden).fill(0), dh: [] as number[] };
  y.dh = [...y.h];
  for (let b = 0; b < batch; b++) {
    const length = Math.max(0, Math.min(steps, lengths?.[b] ?? steps));
    const order = Array.from({ length }, (_, t) => t);
    let h = Array<number>(hidden).fill(0);
    let dh = [...h];
    for (const t of reverse ? order.reverse() : order) {
      const at = b * steps + t;
      const xt = [...x.subarray(at * inputs, (at + 1) * inputs)];
      const z = h.map((_, j) => bias[j] + dot(j, wx, xt) + dot(j, wh, h));
      if (dx !== undefined) {
        const dxt = [...dx.subarray(at * inputs, (at + 1) * inputs)];
        const moved = h.map((_, j) => dot(j, dwx, xt) + dot(j, wx, dxt) + dbias[j]);
        const carried = h.map((_, j) => dot(j, dwh, h) + dot(j, wh, dh));
        dh = z.map((v, j) => SLOPE[activation](v) * (moved[j] + carried[j]));
        y.dh.splice(at * hidden, hidden, ...dh);
      }
      h = z.map(PHI[activation]);
      y.h.splice(at * hidden, hidden, ...h);
    }
  }
  return y;
}

/** x, W, U and b, or the like. */
function operands({ batch, steps, inputs, hidden }: Size, seed: number): Tensor[] {
  const shapes: [number[], number][] = [
    [[batch, steps, inputs], 2],
    [[hidden, inputs], 1],
    [[hidden, hidden], 1.5 / Math.sqrt(hidden)],
    [[hidden], 1],
  ];
  return shapes.map(([shape, bound], i) => {
    const size = shape.reduce((n, d) => n * d, 1);
    return f32(shape, random(size, { seed: seed + i, low: -bound, high: bound }));
  });
}

const nameOf = ({ batch, steps, inputs, hidden, activation, lengths, reverse }: Size): string =>
  `${activation} [${batch}, ${steps}, ${inputs}] → ${hidden}${lengths ? `, lengths ${lengths}` : ''}${reverse ? ', in reverse' : ''}`;
const endsOf = ({ batch, lengths }: Size): Tensor[] =>
  lengths === undefined ? [] : [i32([batch], lengths)];

const layer = (
  { activation, reverse = false }: Size,
  [x, input, recurrent, bias]: readonly Value[],
  lengths: Value | undefined,
): Value => rnn(x, { input, recurrent, bias }, { activation, lengths, reverse });

const forward = (size: Size): Case => ({
  op: 'rnn',
  name: nameOf(size),
  ...(size.lengths?.some((n) => n < 0) && { once: 'step by step, lengths are from 0' }),
  inputs: [...operands(size, 3), ...endsOf(size)],
  build: (given) => [layer(size, given, given[4])],
  oracle: (given) => [outputs(size, given.slice(0, 4)).h],
  gradient: [0, 1, 2, 3],
  // Rounding of one step goes through the next ones.
  tolerance: { rel: 1e-5, abs: 5e-6 },
  gradientTolerance: { rel: 1e-5, abs: 1e-5 * Math.max(1, Math.sqrt(size.batch * size.steps)) },
});

const tangent = (size: Size): Case => ({
  op: 'rnnTangent',
  name: nameOf(size),
  inputs: [...operands(size, 3), ...operands(size, 13), ...endsOf(size)],
  build: (given) => [
    pushforward(layer(size, given, given[8]), given.slice(0, 4), given.slice(4, 8)),
  ],
  oracle: (given) => [outputs(size, given).dh],
  tolerance: { rel: 2e-5, abs: 1e-5 },
});

const SIZES: readonly Omit<Size, 'activation'>[] = [
  { batch: 1, steps: 1, inputs: 1, hidden: 1 },
  { batch: 0, steps: 3, inputs: 2, hidden: 2 },
  { batch: 2, steps: 0, inputs: 2, hidden: 3 },
  { batch: 3, steps: 4, inputs: 2, hidden: 5, lengths: [1, 0, 4] },
  // Lengths beyond what there is are cut.
  { batch: 2, steps: 3, inputs: 2, hidden: 2, lengths: [9, -4] },
  { batch: 4, steps: 3, inputs: 5, hidden: 16 },
  { batch: 7, steps: 5, inputs: 3, hidden: 33, lengths: [5, 3, 1, 5, 2, 4, 5] },
  { batch: 2, steps: 9, inputs: 20, hidden: 131, lengths: [9, 7] },
  { batch: 1, steps: 4, inputs: 3, hidden: 8, reverse: true },
  { batch: 3, steps: 4, inputs: 2, hidden: 3, lengths: [1, 0, 4], reverse: true },
  { batch: 6, steps: 5, inputs: 4, hidden: 70, lengths: [3, 5, 2, 3, 1, 2], reverse: true },
];

const sizes = (['tanh', 'relu'] as const).flatMap((activation) =>
  SIZES.map((size): Size => ({ ...size, activation })),
);

export const cases: Case[] = [...sizes.map(forward), ...sizes.map(tangent)];
