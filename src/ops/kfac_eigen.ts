import type { Value } from '../graph/graph.ts';
import type { Numbers, Operand } from '../graph/kernel.ts';
import { eigh } from '../linalg/eigh.ts';
import type { MatrixStatus, Real } from '../linalg/matrix.ts';
import { packedSize, unpack } from '../linalg/packed.ts';
import { mul } from './binary.ts';
import { defineOp, expectType, shapeError } from './define.ts';
import { matmul } from './linear.ts';
import { settleRoot } from './roots.ts';
import { standsStill } from './status.ts';

type EigenAttrs = Readonly<{ tensors: readonly number[]; stepSlot: number }>;

const OPERANDS = 5;

const kfacEigenOp = defineOp<EigenAttrs>({
  name: 'kfacEigen',
  infer: ([status, failures, damping, ...matrices], { tensors }) => {
    expectType('kfacEigen', 'a status block', status, 'i32', [8]);
    expectType('kfacEigen', 'a damping', damping, 'f32', []);
    expectType('kfacEigen', 'failure counters', failures, 'i32', [null]);
    const counters = 1 + Math.max(-1, ...tensors);
    if (failures.shape[0] < counters) {
      throw shapeError(`kfacEigen expects ${counters} failure counters, got ${failures.shape[0]}`);
    }
    tensors.forEach((_, layer) => {
      const [a, g, aBasis, gBasis, scale] = matrices.slice(OPERANDS * layer);
      const [m, n] = scale.shape;
      const diagonal = aBasis.shape.length === 1;
      expectType('kfacEigen', 'a scale', scale, 'f32', [m, n]);
      expectType('kfacEigen', 'a factor', a, 'f32', diagonal ? [n] : [packedSize(n)]);
      expectType('kfacEigen', 'a factor', g, 'f32', [packedSize(m)]);
      expectType('kfacEigen', 'a basis', aBasis, 'f32', diagonal ? [n] : [n, n]);
      expectType('kfacEigen', 'a basis', gBasis, 'f32', [m, m]);
    });
    return [];
  },
  mutates: true,
  kernel: ({ inputs: [status, failures, damping, ...matrices], attrs }) => {
    const { tensors, stepSlot } = attrs;
    return (row) => {
      if (standsStill(status)) return;
      tensors.forEach((tensor, layer) => {
        const operands = matrices.slice(OPERANDS * layer, OPERANDS * (layer + 1));
        const result = decompose(operands, damping.data[0]);
        settleRoot(status, failures, tensor, result, tensor, row[stepSlot]);
      });
    };
  },
});

/** Writes nothing unless the result is ok. */
function decompose([a, g, aBasis, gBasis, scale]: Operand[], damping: number): MatrixStatus {
  const [m, n] = scale.shape;
  const diagonal = aBasis.shape.length === 1;
  const ofA = diagonal ? onDiagonal(a.data) : eigh(unpack(a.data as Real, n), n);
  const ofG = eigh(unpack(g.data as Real, m), m);
  if (ofA === 'notFinite' || ofG === 'notFinite') return 'notFinite';
  if (ofA === 'notConverged' || ofG === 'notConverged') return 'notConverged';
  const fresh = new Float64Array(m * n);
  for (let o = 0; o < m; o++) {
    for (let i = 0; i < n; i++) {
      // Below 0 by rounding alone.
      fresh[o * n + i] = 1 / (Math.max(ofG.values[o], 0) * Math.max(ofA.values[i], 0) + damping);
    }
  }
  if (!fresh.every((x) => Number.isFinite(Math.fround(x)))) return 'overflow';
  scale.data.set(fresh);
  if (!diagonal) aBasis.data.set(ofA.vectors);
  gBasis.data.set(ofG.vectors);
  return 'ok';
}

/** Of a diagonal, whose eigenvectors are the unit vectors. */
function onDiagonal(data: Numbers) {
  const values = Float64Array.from(data);
  return values.every(Number.isFinite) ? { values, vectors: [] } : 'notFinite';
}

/** What turns a layer's gradient, and scales it there. */
export interface EigenForm {
  /** [in, in] and [out, out]: eigenvectors as rows. None of a diagonal A. */
  readonly aBasis: Value | undefined;
  readonly gBasis: Value;
  /** [out, in]: 1 / (gₒaᵢ + λ) of the eigenvalues. */
  readonly scale: Value;
}

export interface EigenLayer extends EigenForm {
  /** Packed, or the vector of its diagonal. */
  readonly a: Value;
  readonly g: Value;
  /** Index of the weight among the parameters, for messages. */
  readonly tensor: number;
}

/**
 * Eigenbases of A and G of every layer, and 1 / (gₒaᵢ + λ) of their eigenvalues, under the failure policy: a scale
 * beyond float32 is a failure. λ is `damping`, a scalar; `failures` is i32, one for each parameter.
 */
export function kfacEigen(
  status: Value,
  failures: Value,
  layers: readonly EigenLayer[],
  damping: Value,
): void {
  const matrices = layers.flatMap((l) => [l.a, l.g, l.aBasis ?? l.a, l.gBasis, l.scale]);
  status.graph.add(kfacEigenOp, [status, failures, damping, ...matrices], {
    tensors: layers.map((l) => l.tensor),
    stepSlot: status.graph.step.index,
  });
}

/**
 * (A ⊗ G + λI)⁻¹ of V [out, in]: Q_Gᵀ (scale ⊙ (Q_G V Q_Aᵀ)) Q_A; of a diagonal A that of V [in, out]:
 * (scale ⊙ (Q_G Vᵀ))ᵀ Q_G.
 */
export function inEigenbasis(v: Value, { aBasis, gBasis, scale }: EigenForm): Value {
  if (aBasis === undefined) {
    return matmul(mul(matmul(gBasis, v, { transB: true }), scale), gBasis, { transA: true });
  }
  const turned = matmul(matmul(gBasis, v), aBasis, { transB: true });
  return matmul(matmul(gBasis, mul(turned, scale), { transA: true }), aBasis);
}
