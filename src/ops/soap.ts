import type { Value } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import type { Slot } from '../graph/moment.ts';
import { completed, echelon } from '../linalg/echelon.ts';
import { eigh } from '../linalg/eigh.ts';
import { multiply, type Real } from '../linalg/matrix.ts';
import { packedSize, unpack } from '../linalg/packed.ts';
import { orthonormalRows } from '../linalg/qr.ts';
import { defineOp, expectSameShape, expectType } from './define.ts';
import type { Mode } from './modes.ts';
import { STATUS, standsStill, stopRun } from './status.ts';

const soapDirectionOp = defineOp<{ beta1: number; beta2: number; eps: number }>({
  name: 'soapDirection',
  infer: ([status, updates, ...tensors]) => {
    expectType('soapDirection', 'a status block', status, 'i32', [8]);
    expectType('soapDirection', 'an update counter', updates, 'i32', [1]);
    return tensors.flatMap((g, i) => {
      if (i % 5 !== 0) return [];
      for (const other of tensors.slice(i, i + 5)) {
        expectType('soapDirection', 'its tensors', other, 'f32');
        expectSameShape('soapDirection', g.shape, other.shape);
      }
      return [g];
    });
  },
  mutates: true,
  kernel: ({ inputs: [status, updates, ...tensors], outputs, attrs: { beta1, beta2, eps } }) => {
    const update = (u: Operand, parts: readonly Operand[], c1: number, c2: number): void => {
      const [g, m, gTurned, mTurned, v] = parts.map(({ data }) => data);
      for (let i = 0; i < u.size; i++) {
        const turned = beta1 * mTurned[i] + (1 - beta1) * gTurned[i];
        const square = beta2 * v[i] + (1 - beta2) * gTurned[i] ** 2;
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = square;
        u.data[i] = (c1 * turned) / (Math.sqrt(c2 * square) + eps);
      }
    };
    return () => {
      const k = updates.data[0];
      if (standsStill(status) || k === 0) {
        for (const u of outputs) u.data.fill(0);
        return;
      }
      const [c1, c2] = [1 / (1 - beta1 ** k), 1 / (1 - beta2 ** k)];
      outputs.forEach((u, t) => {
        update(u, tensors.slice(5 * t, 5 * t + 5), c1, c2);
      });
    };
  },
});

/** A gradient and its mean, in the parameter's own coordinates and turned into the eigenbases. */
export interface SoapTensor {
  readonly grad: Value;
  readonly m: Value;
  readonly turnedGrad: Value;
  /** The mean as it was before this step. */
  readonly turnedM: Value;
  /** The mean square, in the eigenbases. */
  readonly v: Value;
}

/**
 * Adam in turned coordinates: m ← β₁m + (1−β₁)g; m′ = β₁m′ + (1−β₁)g′; v ← β₂v + (1−β₂)g′²; returns
 * m̂′/(√v̂ + ε), corrected by 1 − β^updates. Zeros, and no change, before the first update and while the status block
 * is set.
 */
export const soapDirection = (
  status: Value,
  updates: Value,
  tensors: readonly SoapTensor[],
  options: { beta1: number; beta2: number; eps: number },
): Value[] =>
  status.graph.add(
    soapDirectionOp,
    [status, updates, ...tensors.flatMap((t) => [t.grad, t.m, t.turnedGrad, t.turnedM, t.v])],
    options,
  );

type BasesAttrs = Readonly<{
  outer: readonly number[];
  inner: readonly number[];
  tensors: readonly number[];
  dueSlot: number;
  stepSlot: number;
}>;

const soapBasesOp = defineOp<BasesAttrs>({
  name: 'soapBases',
  infer: ([status, updates, ...matrices], { tensors }) => {
    expectType('soapBases', 'a status block', status, 'i32', [8]);
    expectType('soapBases', 'an update counter', updates, 'i32', [1]);
    tensors.forEach((_, i) => {
      const [statistic, basis] = matrices.slice(3 * i);
      const [, n] = basis.shape;
      expectType('soapBases', 'a basis', basis, 'f32', [1, n, n]);
      expectType('soapBases', 'a statistic', statistic, 'f32', [1, packedSize(n)]);
    });
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, updates, ...matrices], attrs }) => {
    const { outer, inner, tensors, dueSlot, stepSlot } = attrs;
    return (row) => {
      const first = updates.data[0] === 0;
      if (standsStill(status) || (!first && row[dueSlot] === 0)) return;
      tensors.forEach((tensor, i) => {
        const [statistic, basis, v] = matrices.slice(3 * i, 3 * i + 3);
        const n = basis.shape[1];
        if (!statistic.data.every(Number.isFinite)) {
          stopRun(status, 3, tensor, row[stepSlot]);
          return;
        }
        const a = unpack(statistic.data as Real, n);
        if (first) {
          const rows = eigenbasis(a, n);
          if (rows === undefined) status.data[STATUS.rootFailures] += 1;
          else basis.data.set(rows);
          return;
        }
        const { rows, order } = turnedFurther(a, basis.data as Real, n);
        basis.data.set(rows);
        permute(v, order, { outer: outer[i], dim: n, inner: inner[i] });
      });
    };
  },
});

/** Of the largest value: what float32 leaves open of a statistic, ten roundings of it. */
const OPEN = 1e-6;

/**
 * Rows of eigenvectors, the largest value first; nothing where the decomposition does not converge. Values that float32
 * cannot tell apart leave open which basis of their vectors' span it is; it is the one that depends on that span alone.
 */
function eigenbasis(a: Real, n: number): Float64Array | undefined {
  const eigen = eigh(a, n);
  if (typeof eigen === 'string') return undefined;
  const { values, vectors } = eigen;
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i++) rows.set(vectors.subarray((n - 1 - i) * n, (n - i) * n), i * n);
  const gap = OPEN * values[n - 1];
  for (let begin = 0, end = 1; end <= n; end++) {
    if (end < n && values[n - end] - values[n - 1 - end] <= gap) continue;
    // The last span may be most of the space: then what is before it says less.
    if (end === n && end - begin > begin) return completed(rows, begin, n);
    if (end - begin > 1) echelon(rows.subarray(begin * n, end * n), end - begin, n);
    begin = end;
  }
  return rows;
}

/**
 * One step of orthogonal iteration from the rows `basis`, those of the largest vᵀAv first. Rows whose image float32
 * cannot tell from those of the rows before them come last, as they were, made orthogonal to the others.
 */
function turnedFurther(a: Real, basis: Real, n: number) {
  const turned = new Float64Array(n * n);
  multiply(basis, a, n, turned);
  const values = Array.from({ length: n }, (_, i) => {
    let value = 0;
    for (let k = 0; k < n; k++) value += turned[i * n + k] * basis[i * n + k];
    return value;
  });
  const least = OPEN * values.reduce((x, y) => Math.max(x, y));
  const size = (i: number) => (values[i] <= least ? 0 : values[i]);
  const order = values.map((_, i) => i).sort((i, j) => size(j) - size(i));
  const images = inOrder(turned, order, n);
  const lengths = order.map((_, i) =>
    Math.sqrt(images.subarray(i * n, (i + 1) * n).reduce((sum, x) => sum + x * x, 0)),
  );
  const rows = orthonormalRows(images, n, OPEN * Math.max(...lengths));
  const [kept, left]: number[][] = [[], []];
  order.forEach((_, i) => {
    (images[i * (n + 1)] === 0 ? left : kept).push(i);
  });
  if (left.length === 0) return { rows, order };
  const places = [...kept, ...left].map((i) => order[i]);
  const whole = inOrder(basis, places, n);
  whole.set(inOrder(rows, kept, n));
  return { rows: orthonormalRows(whole, n, OPEN), order: places };
}

function inOrder(rows: Real, order: readonly number[], n: number): Float64Array {
  const out = new Float64Array(order.length * n);
  order.forEach((from, i) => {
    out.set(rows.subarray(from * n, (from + 1) * n), i * n);
  });
  return out;
}

/** x[o, i, r] ← x[o, order[i], r] */
function permute(x: Operand, order: readonly number[], { outer, dim, inner }: Omit<Mode, 'count'>) {
  const old = x.data.slice();
  for (let o = 0; o < outer; o++) {
    order.forEach((from, i) => {
      const at = (o * dim + from) * inner;
      x.data.set(old.subarray(at, at + inner), (o * dim + i) * inner);
    });
  }
}

export interface SoapBasis {
  /** [1, dim(dim + 1)/2], packed. */
  readonly statistic: Value;
  /** [1, dim, dim]: the eigenvectors as rows. */
  readonly basis: Value;
  /** Of the tensor whose mode this is. */
  readonly v: Value;
  readonly mode: Mode;
  /** Index of the parameter, for messages. */
  readonly tensor: number;
}

/**
 * Eigenbases of statistics: by eigendecomposition before the first update, then in steps whose slot `due` is not 0
 * Q ← QR(LQ) with columns in the order of qᵀLq, the largest first, and v permuted alike. A statistic that is not
 * finite ends the run; where an eigendecomposition does not converge the basis stays, to be turned when it is due, and
 * the failure counts.
 */
export function soapBases(
  status: Value,
  updates: Value,
  bases: readonly SoapBasis[],
  due: Slot,
): void {
  status.graph.add(
    soapBasesOp,
    [status, updates, ...bases.flatMap(({ statistic, basis, v }) => [statistic, basis, v])],
    {
      outer: bases.map(({ mode }) => mode.outer),
      inner: bases.map(({ mode }) => mode.inner),
      tensors: bases.map(({ tensor }) => tensor),
      dueSlot: due.index,
      stepSlot: status.graph.step.index,
    },
  );
}
