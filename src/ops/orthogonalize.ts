import type { Value } from '../graph/graph.ts';
import type { Attrs } from '../graph/types.ts';
import type { Real } from '../linalg/matrix.ts';
import { type Iteration, orthogonalize as orthogonalizeMatrix } from '../linalg/orthogonalize.ts';
import { POLAR_SWEEPS } from '../linalg/polar.ts';
import { defineOp, expectType } from './define.ts';
import { standsStill, stopRun } from './status.ts';

export const ORTHOGONALIZERS = ['newton-schulz', 'polar-express', 'exact'] as const;
export type Orthogonalizer = (typeof ORTHOGONALIZERS)[number];

const EXACT: Iteration = {
  coefficients: [],
  safety: 1,
  epsilon: 0,
  leading: 0,
  sweeps: POLAR_SWEEPS,
};

const ITERATIONS: Readonly<Record<Orthogonalizer, Iteration>> = {
  // Jordan 2024
  'newton-schulz': {
    coefficients: Array(5).fill([3.4445, -4.775, 2.0315]).flat(),
    safety: 1,
    epsilon: 1e-7,
    leading: 0,
    sweeps: 0,
  },
  // Amsel et al. 2025, for singular values from 1e-3 on
  'polar-express': {
    coefficients: [
      [8.156554524902461, -22.48329292557795, 15.878769915207462],
      [4.042929935166739, -2.808917465908714, 0.5000178451051316],
      [3.8916678022926607, -2.772484153217685, 0.5060648178503393],
      [3.285753657755655, -2.3681294933425376, 0.46449024233003106],
      [2.3465413258596377, -1.7097828382687081, 0.42323551169305323],
    ].flat(),
    safety: 1.02,
    epsilon: 1e-6,
    leading: 0,
    sweeps: 0,
  },
  exact: EXACT,
};

interface OrthogonalizeAttrs extends Attrs, Iteration {
  /** 1: the status block comes first. */
  readonly settled: number;
  /** Of each batch the parameter, for messages. */
  readonly tensors: readonly number[];
  readonly stepSlot: number;
}

const orthogonalizeOp = defineOp<OrthogonalizeAttrs>({
  name: 'orthogonalize',
  infer: (inputs, { settled }) => {
    const batches = inputs.slice(settled);
    if (settled) expectType('orthogonalize', 'a status block', inputs[0], 'i32', [8]);
    for (const x of batches) expectType('orthogonalize', 'matrices', x, 'f32', [null, null, null]);
    return batches;
  },
  mutates: true,
  kernel: ({ inputs, outputs, attrs }) => {
    const { settled, tensors, stepSlot } = attrs;
    return (row) => {
      inputs.slice(settled).forEach((x, i) => {
        const [count, rows, columns] = x.shape;
        const size = rows * columns;
        for (let at = 0; at < count * size; at += size) {
          const matrix = x.data.subarray(at, at + size) as Real;
          const factor = orthogonalizeMatrix(matrix, rows, columns, attrs);
          if (factor !== 'notConverged') {
            outputs[i].data.set(factor, at);
            continue;
          }
          outputs[i].data.fill(NaN, at, at + size);
          if (settled && !standsStill(inputs[0])) {
            stopRun(inputs[0], 6, tensors[i], row[stepSlot]);
          }
        }
      });
    };
  },
});

/** Whose matrices they are, so that a factor which does not converge ends the run and names its parameter. */
export interface Settled {
  readonly status: Value;
  /** Index of the parameter of each batch. */
  readonly tensors: readonly number[];
}

/**
 * Polar factors of batches [count, rows, columns] of matrices, all in one call. An exact one that does not converge is
 * NaN, and ends the run where it is `settled`.
 */
export const orthogonalize = (
  batches: readonly Value[],
  method: Orthogonalizer,
  settled?: Settled,
): Value[] => factorsOf(batches, ITERATIONS[method], settled);

/** u₁v₁ᵀ of batches [count, rows, columns] of matrices: the singular vectors of the largest singular value. */
export const leadingPair = (batches: readonly Value[], settled?: Settled): Value[] =>
  factorsOf(batches, { ...EXACT, leading: 1 }, settled);

function factorsOf(
  batches: readonly Value[],
  iteration: Iteration,
  settled: Settled | undefined,
): Value[] {
  const { graph } = batches[0];
  const attrs = {
    ...iteration,
    settled: settled === undefined ? 0 : 1,
    tensors: settled?.tensors ?? [],
    stepSlot: graph.step.index,
  };
  const status = settled === undefined ? [] : [settled.status];
  return graph.add(orthogonalizeOp, [...status, ...batches], attrs);
}
