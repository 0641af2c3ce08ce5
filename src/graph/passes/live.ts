import type { Node, Value } from '../graph.ts';
import type { CompilerPass } from './draft.ts';

/** Leaves the nodes that a report or an update in place depends on, without aliases, which are no instructions. */
export const keepLive: CompilerPass = (draft) => {
  const live = new Set<Node>();
  const mark = (value: Value): void => {
    if (value.node !== undefined) live.add(value.node);
  };
  draft.reports.forEach(mark);
  // Every node comes after those it reads, so one pass from the end is enough.
  for (const node of [...draft.nodes].reverse()) {
    if (node.op.mutates) live.add(node);
    if (live.has(node)) node.inputs.forEach(mark);
  }
  return { ...draft, nodes: draft.nodes.filter((node) => live.has(node) && !node.op.alias) };
};
