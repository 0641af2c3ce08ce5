import { checkBoolean, checkNames, checkWhole } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import type { Value } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import { showType, type TensorType } from '../graph/types.ts';
import { defineOp, expectType, f32, graphOf, shapeError } from './define.ts';
import { fill } from './fill.ts';

type Attrs = Readonly<{ heads: number; causal: number }>;

/** The widest head of a kernel. */
export const MOST_HEAD = 256;

function expectOperands(
  [q, k, v, lengths]: readonly TensorType[],
  { heads, causal }: Attrs,
): TensorType {
  expectType('attention', 'queries', q, 'f32', [null, null, null]);
  const [batch, steps, width] = q.shape;
  expectType('attention', 'keys', k, 'f32', [batch, null, width]);
  expectType('attention', 'values', v, 'f32', k.shape);
  if (lengths !== undefined) expectType('attention', 'lengths', lengths, 'i32', [batch]);
  if (width % heads !== 0 || width === 0 || width / heads > MOST_HEAD) {
    throw shapeError(
      `attention expects a width that ${heads} heads divide into 1 to ${MOST_HEAD} each, got ${showType(q)}`,
    );
  }
  if (causal && k.shape[1] !== steps) {
    throw shapeError(
      `attention that is causal expects as many keys as queries, got ${showType(k)} for ${showType(q)}`,
    );
  }
  return f32(batch, heads, steps, 2);
}

const attentionOp = defineOp<Attrs>({
  name: 'attention',
  infer: (operands, attrs) => {
    const stats = expectOperands(operands, attrs);
    return [operands[0], stats];
  },
  runs: ({ inputs: [q] }) => q.shape[0],
  gradient: ({ inputs: [q, k, v, ...lengths], outputs: [y, stats], attrs }, [dy, dstats]) => {
    if (dstats !== undefined) {
      throw new FlatminError('FLATMIN_ARGUMENT', 'Statistics of attention have no gradient');
    }
    return dy?.graph.add(attentionGradOp, [q, k, v, y, stats, dy, ...lengths], attrs);
  },
  tangent: ({ inputs: [q, k, v, ...lengths], outputs: [y, stats], attrs }, given) => {
    const moved = [q, k, v].map((x, i) => given[i] ?? fill(x.graph, x.shape, 0));
    return q.graph.add(attentionTangentOp, [q, k, v, y, stats, ...moved, ...lengths], attrs);
  },
  kernel: ({ inputs: [q, k, v, lengths], outputs: [y, stats], attrs }) => {
    const rows = eachQuery({ q, k, lengths, attrs });
    return () => {
      y.data.fill(0);
      rows(({ scores, count, dim, row, at, keyAt }) => {
        let top = -Infinity;
        for (let j = 0; j < count; j++) top = Math.max(top, scores[j]);
        let total = 0;
        for (let j = 0; j < count; j++) {
          scores[j] = Math.exp(scores[j] - top);
          total += scores[j];
        }
        for (let d = 0; d < dim; d++) {
          let sum = 0;
          for (let j = 0; j < count; j++) sum += scores[j] * v.data[keyAt(j) + d];
          y.data[at + d] = count === 0 ? 0 : sum / total;
        }
        stats.data[2 * row] = count === 0 ? 0 : top;
        stats.data[2 * row + 1] = count === 0 ? Infinity : Math.log(total);
      });
    };
  },
});

/**
 * dq, dk and dv: with P = e^(s − top − rest), D the dot product of dy and y, and dS = P (dy vᵀ − D)/√dim these are
 * dS k, dSᵀ q and Pᵀ dy.
 */
const attentionGradOp = defineOp<Attrs>({
  name: 'attentionGrad',
  infer: ([q, k, v]) => [q, k, v],
  kernel: ({ inputs, outputs: [dq, dk, dv], attrs }) => {
    const [q, k, v, y, stats, dy, lengths] = inputs;
    const rows = eachQuery({ q, k, lengths, attrs });
    return () => {
      // Sums over queries in doubles, which then are rounded once.
      const [sumK, sumV] = [new Float64Array(dk.size), new Float64Array(dv.size)];
      dq.data.fill(0);
      rows(({ scores, count, dim, row, at, keyAt }) => {
        const own = new Float64Array(dim);
        let level = 0;
        for (let d = 0; d < dim; d++) level += dy.data[at + d] * y.data[at + d];
        for (let j = 0; j < count; j++) {
          const to = keyAt(j);
          const p = weightOf(scores[j], stats, row);
          let slope = -level;
          for (let d = 0; d < dim; d++) slope += dy.data[at + d] * v.data[to + d];
          const ds = (p * slope) / Math.sqrt(dim);
          for (let d = 0; d < dim; d++) {
            own[d] += ds * k.data[to + d];
            sumK[to + d] += ds * q.data[at + d];
            sumV[to + d] += p * dy.data[at + d];
          }
        }
        dq.data.set(own, at);
      });
      dk.data.set(sumK);
      dv.data.set(sumV);
    };
  },
});

/** Σ P dS v − y Σ P dS + Σ P dv over the keys of a query, where dS = (dq kᵀ + q dkᵀ)/√dim. */
const attentionTangentOp = defineOp<Attrs>({
  name: 'attentionTangent',
  infer: ([q]) => [q],
  kernel: ({ inputs, outputs: [out], attrs }) => {
    const [q, k, v, y, stats, dq, dk, dv, lengths] = inputs;
    const rows = eachQuery({ q, k, lengths, attrs });
    return () => {
      out.data.fill(0);
      rows(({ scores, count, dim, row, at, keyAt }) => {
        const own = new Float64Array(dim);
        let total = 0;
        for (let j = 0; j < count; j++) {
          const from = keyAt(j);
          const p = weightOf(scores[j], stats, row);
          let moved = 0;
          for (let d = 0; d < dim; d++) {
            moved += dq.data[at + d] * k.data[from + d] + q.data[at + d] * dk.data[from + d];
          }
          const share = (p * moved) / Math.sqrt(dim);
          total += share;
          for (let d = 0; d < dim; d++) own[d] += share * v.data[from + d] + p * dv.data[from + d];
        }
        for (let d = 0; d < dim; d++) out.data[at + d] = own[d] - total * y.data[at + d];
      });
    };
  },
});

const weightOf = (score: number, stats: Operand, row: number): number =>
  Math.exp(score - stats.data[2 * row] - stats.data[2 * row + 1]);

interface Query {
  /** q kᵀ/√dim for each key that the query sees. */
  readonly scores: Float64Array;
  readonly count: number;
  readonly dim: number;
  /** Its place among [batch, heads, steps]. */
  readonly row: number;
  /** Where it begins in the queries. */
  readonly at: number;
  /** Where key j begins in the keys. */
  readonly keyAt: (j: number) => number;
}

function eachQuery({
  q,
  k,
  lengths,
  attrs: { heads, causal },
}: {
  q: Operand;
  k: Operand;
  lengths: Operand | undefined;
  attrs: Attrs;
}): (body: (query: Query) => void) => void {
  const [batch, steps, width] = q.shape;
  const keys = k.shape[1];
  const dim = width / heads;
  return (body) => {
    const scores = new Float64Array(keys);
    for (let b = 0; b < batch; b++) {
      const whole = Math.min(keys, Math.max(0, lengths === undefined ? keys : lengths.data[b]));
      for (let h = 0; h < heads; h++) {
        const keyAt = (j: number) => (b * keys + j) * width + h * dim;
        for (let i = 0; i < steps; i++) {
          const at = (b * steps + i) * width + h * dim;
          const count = causal ? Math.min(whole, i + 1) : whole;
          for (let j = 0; j < count; j++) {
            const from = keyAt(j);
            let sum = 0;
            for (let d = 0; d < dim; d++) sum += q.data[at + d] * k.data[from + d];
            scores[j] = sum / Math.sqrt(dim);
          }
          body({ scores, count, dim, row: (b * heads + h) * steps + i, at, keyAt });
        }
      }
    }
  };
}

export interface AttentionOptions {
  /** Heads that the width is divided into, side by side. Default 1. */
  readonly heads?: number;
  /** Whether a query sees only the keys up to its own step. Default false. */
  readonly causal?: boolean;
  /** How many keys each row of the batch has, i32 [batch]: those from there on are not seen. Default: all. */
  readonly lengths?: Value | undefined;
}

/**
 * softmax(q kᵀ/√dim) v in each head (Vaswani et al. 2017): q [batch, steps, width], k and v [batch, keys, width] →
 * [batch, steps, width], dim = width / heads ≤ 256. The weights [steps, keys] are never whole in memory, backwards neither:
 * they come in tiles, from the largest score and the sum of each query (Dao et al. 2022). A query that sees no key gives 0.
 */
export function attention(q: Value, k: Value, v: Value, options: AttentionOptions = {}): Value {
  checkNames<AttentionOptions>('attention', options, { heads: true, causal: true, lengths: true });
  const { heads = 1, causal = false, lengths } = options;
  checkWhole('heads of attention', heads, 1);
  checkBoolean('causal of attention', causal);
  const operands = lengths === undefined ? [q, k, v] : [q, k, v, lengths];
  return graphOf('attention', ...operands).add(attentionOp, operands, {
    heads,
    causal: causal ? 1 : 0,
  })[0];
}
