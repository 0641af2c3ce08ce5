import type { Value } from '../graph.ts';
import { type Lifetime, planBuffers } from '../plan.ts';
import { bytesOf } from '../types.ts';
import { type CompilerPass, type Draft, ownerOf } from './draft.ts';

/** Gives every value that owns memory of the arena its place, so that those alive together do not overlap. */
export const planArena: CompilerPass = (draft) => {
  const lifetimes = lifetimesOf(draft);
  const { offsets, arenaBytes, unsharedBytes } = planBuffers([...lifetimes.values()]);
  return {
    ...draft,
    offsets: new Map([...lifetimes.keys()].map((owner, i) => [owner, offsets[i]])),
    arenaBytes,
    savedBytes: unsharedBytes - arenaBytes,
  };
};

/** From the first instruction that touches an owner's memory to the last; reports are read after all of them. */
function lifetimesOf(draft: Draft): Map<Value, Lifetime> {
  const { nodes, reports } = draft;
  const lifetimes = new Map<Value, Lifetime>();
  const touch = (value: Value, at: number): void => {
    const owner = ownerOf(draft, value);
    if (owner.place !== 'arena') return;
    const { bytes, start } = lifetimes.get(owner) ?? { bytes: bytesOf(owner.type), start: at };
    lifetimes.set(owner, { bytes, start, end: at });
  };
  nodes.forEach((node, at) => {
    for (const value of [...node.inputs, ...node.outputs]) touch(value, at);
  });
  for (const report of reports) touch(report, nodes.length);
  return lifetimes;
}
