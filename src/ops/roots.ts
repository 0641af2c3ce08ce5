import type { Value } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import { choleskyInverse } from '../linalg/cholesky.ts';
import { inverseRoot } from '../linalg/inverse-root.ts';
import type { MatrixStatus, Real } from '../linalg/matrix.ts';
import { packedSize, unpack } from '../linalg/packed.ts';
import { defineOp, expectType } from './define.ts';
import {
  type Counters,
  expectCounters,
  expectPair,
  isDiagonal,
  type LayerAttrs,
  type LayerPairs,
  layerAttrs,
  layersOf,
  operandsOf,
  type Pair,
  together,
} from './kfac_layers.ts';
import { STATUS, standsStill, stopRun } from './status.ts';

/** Failures in a row that end the run. */
const PATIENCE = 3;

/**
 * The failure policy of roots, inverses and eigenbases: a failure keeps the last good matrix and counts; three in a row
 * of one matrix, or an entry that is not finite, stop the run and name the tensor.
 */
export function settleRoot(
  status: Operand,
  failures: Operand,
  index: number,
  result: MatrixStatus,
  tensor: number,
  step: number,
): void {
  if (result === 'ok') {
    failures.data[index] = 0;
    return;
  }
  failures.data[index] += 1;
  status.data[STATUS.rootFailures] += 1;
  if (result !== 'notFinite' && failures.data[index] < PATIENCE) return;
  stopRun(status, result === 'notFinite' ? 3 : 2, tensor, step);
}

type RootAttrs = Readonly<{
  p: readonly number[];
  tensors: readonly number[];
  epsilon: number;
  ridge: number;
  newton: number;
  /** Requests have a basis, too. */
  warm: number;
  beta: number;
  stepSlot: number;
}>;

const inverseRootsOp = defineOp<RootAttrs>({
  name: 'inverseRoots',
  infer: ([status, failures, updates, ...matrices], { p, warm }) => {
    expectType('inverseRoots', 'a status block', status, 'i32', [8]);
    expectType('inverseRoots', 'an update counter', updates, 'i32', [1]);
    let count = 0;
    p.forEach((_, i) => {
      const [statistics, roots, bases] = matrices.slice((2 + warm) * i);
      const [batch, n] = roots.shape;
      expectType('inverseRoots', 'roots', roots, 'f32', [null, n, n]);
      expectType('inverseRoots', 'statistics', statistics, 'f32', [batch, packedSize(n)]);
      if (warm) expectType('inverseRoots', 'bases', bases, 'f32', [batch, n, n]);
      count += batch;
    });
    expectType('inverseRoots', 'failure counters', failures, 'i32', [count]);
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, failures, updates, ...matrices], attrs }) => {
    const { p, tensors, epsilon, ridge, newton, warm, beta, stepSlot } = attrs;
    return (row) => {
      if (standsStill(status) || updates.data[0] === 0) return;
      const correction = beta === 1 ? 1 : 1 / (1 - beta ** updates.data[0]);
      const method = newton ? 'newton' : 'eigh';
      let counter = 0;
      p.forEach((power, i) => {
        const [statistics, roots, bases] = matrices.slice((2 + warm) * i);
        const [count, n] = roots.shape;
        for (let k = 0; k < count; k++) {
          const part = (m: Operand, size: number) =>
            m.data.subarray(k * size, (k + 1) * size) as Real;
          const statistic = part(statistics, packedSize(n)).map((x) => x * correction);
          const root = part(roots, n * n);
          const basis = warm ? part(bases, n * n) : undefined;
          const options = { ridge, epsilon, method, basis } as const;
          const result = inverseRoot(unpack(statistic, n), n, power, root, options);
          settleRoot(status, failures, counter++, result.status, tensors[i], row[stepSlot]);
        }
      });
    };
  },
});

/** Statistics of one parameter. */
export interface RootRequest {
  /** [count, n(n + 1)/2], packed. */
  readonly statistics: Value;
  /** [count, n, n]: the last good roots. */
  readonly roots: Value;
  /** [count, n, n]: rows of eigenvectors of the last roots, zeros before the first. By method `warm` alone. */
  readonly bases?: Value;
  /** root ← statistic^(−1/p). */
  readonly p: number;
  /** Index of the parameter, for messages. */
  readonly tensor: number;
}

/**
 * Inverse roots of many statistics in one call, under the failure policy. With β < 1 the statistics are EMAs, divided
 * by 1 − β^updates first; before the first update nothing is done. `failures` is i32, one for each matrix in order,
 * `updates` i32 [1].
 */
export function inverseRoots(
  status: Value,
  counters: { failures: Value; updates: Value },
  requests: readonly RootRequest[],
  options: { epsilon: number; ridge: number; method: 'eigh' | 'newton' | 'warm'; beta: number },
): void {
  status.graph.add(
    inverseRootsOp,
    [
      status,
      counters.failures,
      counters.updates,
      ...requests.flatMap(({ statistics, roots, bases }) =>
        bases === undefined ? [statistics, roots] : [statistics, roots, bases],
      ),
    ],
    {
      p: requests.map((r) => r.p),
      tensors: requests.map((r) => r.tensor),
      epsilon: options.epsilon,
      ridge: options.ridge,
      newton: Number(options.method === 'newton'),
      warm: Number(options.method === 'warm'),
      beta: options.beta,
      stepSlot: status.graph.step.index,
    },
  );
}

const kfacInversesOp = defineOp<LayerAttrs>({
  name: 'kfacInverses',
  infer: ([status, failures, updates, damping, ...matrices], attrs) => {
    expectType('kfacInverses', 'a status block', status, 'i32', [8]);
    expectType('kfacInverses', 'an update counter', updates, 'i32', [1]);
    expectType('kfacInverses', 'a damping', damping, 'f32', []);
    expectCounters('kfacInverses', failures, attrs.tensors, 2);
    for (const { a, g } of layersOf(matrices, attrs)) {
      for (const pair of [...a, ...g]) expectPair('kfacInverses', 'an inverse', pair);
    }
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, failures, updates, damping, ...matrices], attrs }) => {
    const layers = layersOf(matrices, attrs);
    return (row) => {
      if (standsStill(status) || updates.data[0] === 0) return;
      for (const { a, g, tensor } of layers) {
        const ratio = meanTrace(a) / meanTrace(g);
        const pi = ratio > 0 && Number.isFinite(ratio) ? Math.sqrt(ratio) : 1;
        const root = Math.sqrt(damping.data[0]);
        const invert = (blocks: readonly Pair<Operand>[], shift: number, index: number) => {
          const result = together(blocks.map((block) => inverseOf(block, shift)));
          settleRoot(status, failures, index, result, tensor, row[attrs.stepSlot]);
        };
        invert(a, pi * root, 2 * tensor);
        invert(g, root / pi, 2 * tensor + 1);
      }
    };
  },
});

/** tr M / dim M of all blocks together. */
function meanTrace(blocks: readonly Pair<Operand>[]): number {
  let [trace, order] = [0, 0];
  for (const { factor, result } of blocks) {
    const [n] = result.shape;
    const at = (i: number) => (isDiagonal(result) ? i : packedSize(i) + i);
    for (let i = 0; i < n; i++) trace += factor.data[at(i)];
    order += n;
  }
  return trace / order;
}

/** The inverse with `shift` on the diagonal; writes nothing unless it is ok. */
function inverseOf({ factor, result }: Pair<Operand>, shift: number): MatrixStatus {
  if (isDiagonal(result)) return reciprocals(factor, shift, result);
  const [n] = result.shape;
  return choleskyInverse(unpack(factor.data as Real, n), n, shift, result.data as Real);
}

/** out ← 1 / (d + shift); writes nothing unless all of them are positive and fit a float. */
function reciprocals({ data, size }: Operand, shift: number, out: Operand): MatrixStatus {
  for (let i = 0; i < size; i++) {
    if (!Number.isFinite(data[i])) return 'notFinite';
    const x = 1 / (data[i] + shift);
    if (!(x > 0 && Number.isFinite(Math.fround(x)))) return 'notPositive';
  }
  for (let i = 0; i < size; i++) out.data[i] = 1 / (data[i] + shift);
  return 'ok';
}

/**
 * (A + π√λ I)⁻¹ and (G + √λ/π I)⁻¹ of every layer, π = √((tr A/dim A)/(tr G/dim G)), 1 where a trace is 0; under
 * the failure policy, by which a factor fails where one of its blocks does; nothing before the first of `updates`. λ is
 * `damping`, a scalar; `failures` is i32, two for each parameter: those of tensor i at 2i and 2i + 1.
 */
export function kfacInverses(
  status: Value,
  { failures, updates }: Counters,
  layers: readonly LayerPairs<Value>[],
  damping: Value,
): void {
  status.graph.add(
    kfacInversesOp,
    [status, failures, updates, damping, ...layers.flatMap(operandsOf)],
    layerAttrs(layers, status.graph.step.index),
  );
}

/** The largest i32: a count stops there. */
const MOST_UPDATES = 2 ** 31 - 1;

const countUpdateOp = defineOp({
  name: 'countUpdate',
  infer: ([status, counter, mass]) => {
    expectType('countUpdate', 'a status block', status, 'i32', [8]);
    expectType('countUpdate', 'a counter', counter, 'i32', [1]);
    if (mass !== undefined) expectType('countUpdate', 'a mass', mass, 'f32', []);
    return [];
  },
  mutates: true,
  kernel:
    ({ inputs: [status, counter, mass] }) =>
    () => {
      if (standsStill(status)) return;
      const updates = Math.min(Math.abs(counter.data[0]), MOST_UPDATES - 1);
      counter.data[0] = mass === undefined || mass.data[0] > 0 ? updates + 1 : -updates;
    },
});

/**
 * counter ← |counter| + 1, unless the status block is set; where the batch's `mass` is 0, and there is nothing to update
 * by, counter ← −|counter|.
 */
export function countUpdate(status: Value, counter: Value, mass?: Value): void {
  status.graph.add(
    countUpdateOp,
    mass === undefined ? [status, counter] : [status, counter, mass],
    {},
  );
}
