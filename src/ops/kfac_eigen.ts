import type { Value } from '../graph/graph.ts';
import type { Numbers, Operand } from '../graph/kernel.ts';
import type { TensorType } from '../graph/types.ts';
import { eigh } from '../linalg/eigh.ts';
import type { MatrixStatus, Real } from '../linalg/matrix.ts';
import { unpack } from '../linalg/packed.ts';
import { mul } from './binary.ts';
import { blocksTimes, timesBlocks } from './block_matmul.ts';
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
import { settleRoot } from './roots.ts';
import { standsStill } from './status.ts';

const kfacEigenOp = defineOp<LayerAttrs>({
  name: 'kfacEigen',
  infer: ([status, failures, updates, damping, ...matrices], attrs) => {
    expectType('kfacEigen', 'a status block', status, 'i32', [8]);
    expectType('kfacEigen', 'an update counter', updates, 'i32', [1]);
    expectType('kfacEigen', 'a damping', damping, 'f32', []);
    expectCounters('kfacEigen', failures, attrs.tensors, 1);
    for (const { a, g, rest } of layersOf(matrices, attrs, 1)) {
      for (const pair of [...a, ...g]) expectPair('kfacEigen', 'a basis', pair);
      expectType('kfacEigen', 'a scale', rest[0], 'f32', [orderOf(g), orderOf(a)]);
    }
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, failures, updates, damping, ...matrices], attrs }) => {
    const layers = layersOf(matrices, attrs, 1);
    return (row) => {
      if (standsStill(status) || updates.data[0] === 0) return;
      for (const { a, g, tensor, rest } of layers) {
        const result = decompose(a, g, rest[0], damping.data[0]);
        settleRoot(status, failures, tensor, result, tensor, row[attrs.stepSlot]);
      }
    };
  },
});

const orderOf = (blocks: readonly Pair<TensorType>[]): number =>
  blocks.reduce((sum, { result }) => sum + result.shape[0], 0);

/** Writes nothing unless the result is ok. */
function decompose(
  a: readonly Pair<Operand>[],
  g: readonly Pair<Operand>[],
  scale: Operand,
  damping: number,
): MatrixStatus {
  const found = [...a, ...g].map(eigenOf);
  const outcome = together(found.map((f) => (typeof f === 'string' ? f : 'ok')));
  if (outcome !== 'ok') return outcome;
  const good = found as readonly Eigen[];
  const valuesOf = (some: readonly Eigen[]) => some.flatMap(({ values }) => [...values]);
  const [ofA, ofG] = [valuesOf(good.slice(0, a.length)), valuesOf(good.slice(a.length))];
  const fresh = new Float64Array(ofG.length * ofA.length);
  ofG.forEach((valueOfG, o) => {
    ofA.forEach((valueOfA, i) => {
      // Below 0 by rounding alone.
      fresh[o * ofA.length + i] = 1 / (Math.max(valueOfG, 0) * Math.max(valueOfA, 0) + damping);
    });
  });
  if (!fresh.every((x) => Number.isFinite(Math.fround(x)))) return 'overflow';
  scale.data.set(fresh);
  [...a, ...g].forEach(({ result }, i) => {
    if (!isDiagonal(result)) result.data.set(good[i].vectors);
  });
  return 'ok';
}

interface Eigen {
  readonly values: Float64Array;
  /** Rows; none of a diagonal. */
  readonly vectors: ArrayLike<number>;
}

function eigenOf({ factor, result }: Pair<Operand>): Eigen | MatrixStatus {
  if (isDiagonal(result)) return onDiagonal(factor.data);
  const [n] = result.shape;
  return eigh(unpack(factor.data as Real, n), n);
}

/** Of a diagonal, whose eigenvectors are the unit vectors. */
function onDiagonal(data: Numbers) {
  const values = Float64Array.from(data);
  return values.every(Number.isFinite) ? { values, vectors: [] } : 'notFinite';
}

/** What turns a layer's gradient, and scales it there. */
export interface EigenForm {
  /** Eigenvectors as rows, of A's and of G's blocks. None of a diagonal A. */
  readonly aBases: readonly Value[] | undefined;
  readonly gBases: readonly Value[];
  /** [out, in]: 1 / (gₒaᵢ + λ) of the eigenvalues. */
  readonly scale: Value;
}

export interface EigenLayer extends LayerPairs<Value> {
  readonly scale: Value;
}

/**
 * Eigenbases of A and G of every layer, block by block, and 1 / (gₒaᵢ + λ) of their eigenvalues, under the failure
 * policy: a scale beyond float32 is a failure; nothing before the first of `updates`. λ is `damping`, a scalar; `failures` is i32, one for each parameter. Of a
 * diagonal A, which has no basis, the result is never written.
 */
export function kfacEigen(
  status: Value,
  { failures, updates }: Counters,
  layers: readonly EigenLayer[],
  damping: Value,
): void {
  const matrices = layers.flatMap((layer) => [...operandsOf(layer), layer.scale]);
  status.graph.add(
    kfacEigenOp,
    [status, failures, updates, damping, ...matrices],
    layerAttrs(layers, status.graph.step.index),
  );
}

/**
 * (A ⊗ G + λI)⁻¹ of V [out, in]: Q_Gᵀ (scale ⊙ (Q_G V Q_Aᵀ)) Q_A; of a diagonal A that of V [in, out]:
 * (scale ⊙ (Q_G Vᵀ))ᵀ Q_G.
 */
export function inEigenbasis(v: Value, { aBases, gBases, scale }: EigenForm): Value {
  if (aBases === undefined) {
    const turned = blocksTimes(gBases, v, { transX: true });
    return timesBlocks(mul(turned, scale), gBases, { transX: true });
  }
  const turned = timesBlocks(blocksTimes(gBases, v), aBases, { transBlocks: true });
  return timesBlocks(blocksTimes(gBases, mul(turned, scale), { transBlocks: true }), aBases);
}
