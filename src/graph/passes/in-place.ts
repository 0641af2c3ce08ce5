import type { Value } from '../graph.ts';
import { bytesOf } from '../types.ts';
import { type CompilerPass, rootOf } from './draft.ts';

/** Lets outputs take over the memory of an input of the arena that dies where they are made. */
export const shareInPlace: CompilerPass = (draft) => {
  const { nodes, reports } = draft;
  const owners = new Map<Value, Value>();
  const lastUse = new Map<Value, number>();
  nodes.forEach((node, at) => {
    for (const input of node.inputs) lastUse.set(rootOf(input), at);
  });
  for (const report of reports) lastUse.set(rootOf(report), nodes.length);
  nodes.forEach((node, at) => {
    for (const [from, to] of node.op.inPlace ?? []) {
      const input = rootOf(node.inputs[from]);
      const output = node.outputs[to];
      const dies = lastUse.get(input) === at && input.place === 'arena';
      const once = node.inputs.filter((x) => rootOf(x) === input).length === 1;
      const sameSection = (input.node?.section ?? 0) === node.section;
      if (dies && once && sameSection && bytesOf(input.type) === bytesOf(output.type)) {
        owners.set(output, input);
        break;
      }
    }
  });
  return { ...draft, owners };
};
