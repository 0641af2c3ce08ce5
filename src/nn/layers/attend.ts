import type { Value } from '../../graph/graph.ts';
import * as ops from '../../ops/index.ts';
import type { Scope } from '../layer.ts';

/** Attention of q, k and v that stand side by side, over the steps that rows have. */
export function attend(
  packed: Value,
  { heads, causal, rotary }: { heads: number; causal: boolean; rotary: boolean },
  { lengths }: Scope,
): Value {
  const [q, k, v] = ops.split(packed, 3, -1);
  const placed = (y: Value) => (rotary ? ops.rotary(y, { heads }) : y);
  return ops.attention(placed(q), placed(k), v, { heads, causal, lengths });
}
