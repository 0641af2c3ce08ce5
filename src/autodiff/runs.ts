import type { Value } from '../graph/graph.ts';

/**
 * Into how many equal runs, a divisor of `most`, `from` and `to` fall so that each run of `to` depends on the same run of
 * `from` alone, by what the ops between them say of themselves.
 */
export function independentRuns(from: Value, to: Value, most: number): number {
  const { nodes } = from.graph;
  const reaching = new Set<Value>([to]);
  for (const node of [...nodes].reverse()) {
    if (node.outputs.some((y) => reaching.has(y))) for (const x of node.inputs) reaching.add(x);
  }
  const dependent = new Set<Value>([from]);
  let runs = most;
  for (const node of nodes) {
    if (!node.outputs.some((y) => reaching.has(y))) continue;
    node.inputs.forEach((x, i) => {
      if (!dependent.has(x)) return;
      for (const y of node.outputs) dependent.add(y);
      runs = commonDivisor(runs, node.op.runs?.(node, i) ?? 1);
    });
  }
  return runs;
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));
