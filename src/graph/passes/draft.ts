import type { Graph, Node, Value } from '../graph.ts';

/** A trace on its way to a program: what the passes so far have decided. */
export interface Draft {
  readonly graph: Graph;
  /** f32 scalars reported after every step. */
  readonly reports: readonly Value[];
  /** The status block, where there is one. */
  readonly status: Value | undefined;
  /** What will be instructions, in program order. */
  readonly nodes: readonly Node[];
  /** Outputs that live in the memory of an input, each with that input. */
  readonly owners: ReadonlyMap<Value, Value>;
  /** Where the values that own memory of the arena begin in it, in bytes. */
  readonly offsets: ReadonlyMap<Value, number>;
  readonly arenaBytes: number;
  /** Bytes that sharing the arena saves. */
  readonly savedBytes: number;
}

/** Looks at a draft, throws where it cannot be a program, or returns it with what it decides. */
export type CompilerPass = (draft: Draft) => Draft;

export const draftOf = (
  graph: Graph,
  reports: readonly Value[] = [],
  status: Value | undefined = undefined,
): Draft => ({
  graph,
  reports,
  status,
  nodes: graph.nodes,
  owners: new Map(),
  offsets: new Map(),
  arenaBytes: 0,
  savedBytes: 0,
});

/** Follows alias ops to the value whose memory is used. */
export function rootOf(value: Value): Value {
  let root = value;
  while (root.node?.op.alias) root = root.node.inputs[0];
  return root;
}

/** The value in whose memory another lives, by alias ops and by sharing in place. */
export function ownerOf({ owners }: Draft, value: Value): Value {
  let owner = rootOf(value);
  for (let next = owners.get(owner); next !== undefined; next = owners.get(owner))
    owner = rootOf(next);
  return owner;
}
