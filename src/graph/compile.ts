import { FlatminError } from '../errors.ts';
import type { Graph, Node, Value } from './graph.ts';
import { planBuffers } from './plan.ts';
import { type BufferSpec, bytesOf, type Instruction, type ProgramSpec } from './types.ts';

export interface CompileOptions {
  /** f32 scalars reported after every step. */
  readonly reports?: readonly Value[];
  /** The status block (i32, in the store). */
  readonly status?: Value;
}

export interface Compiled {
  readonly spec: ProgramSpec;
  readonly graph: Graph;
  /** Arena bytes that sharing saved. */
  readonly savedBytes: number;
}

/** Turns a trace into a program: drops what nothing reads, plans buffers, numbers everything. */
export function compile(graph: Graph, options: CompileOptions = {}): Compiled {
  const reports = options.reports ?? [];
  const nodes = liveNodes(graph, reports);
  checkSections(nodes);
  const owners = shareInPlace(nodes, reports);

  const ids = new Map<Value, number>();
  const values: Value[] = [];
  const idOf = (value: Value): number => {
    let id = ids.get(value);
    if (id === undefined) {
      id = values.push(value) - 1;
      ids.set(value, id);
    }
    return id;
  };
  const instructions: Instruction[] = nodes.map((node) => ({
    op: node.op.name,
    inputs: node.inputs.map(idOf),
    outputs: node.outputs.map(idOf),
    attrs: node.attrs,
    section: node.section,
  }));
  const reportIds = reports.map(idOf);
  const status = options.status === undefined ? -1 : idOf(options.status);

  const lifetimes = new Map<Value, { bytes: number; start: number; end: number }>();
  const touch = (id: number, at: number): void => {
    const owner = ownerOf(owners, values[id]);
    if (owner.place !== 'arena') return;
    const known = lifetimes.get(owner);
    if (known === undefined)
      lifetimes.set(owner, { bytes: bytesOf(owner.type), start: at, end: at });
    else known.end = at;
  };
  instructions.forEach((instruction, at) => {
    for (const id of [...instruction.inputs, ...instruction.outputs]) touch(id, at);
  });
  for (const id of reportIds) touch(id, instructions.length);
  const plan = planBuffers([...lifetimes.values()]);
  const offsets = new Map([...lifetimes.keys()].map((owner, i) => [owner, plan.offsets[i]]));

  const buffers: BufferSpec[] = values.map((value) => {
    const owner = ownerOf(owners, value);
    return {
      dtype: value.dtype,
      shape: value.shape,
      place:
        owner.place === 'arena'
          ? { kind: 'arena', offset: offsets.get(owner) ?? 0 }
          : { kind: owner.place, key: owner.key },
    };
  });
  const phases: number[] = [];
  for (let phase = 0; phase < graph.phases.length; phase++) {
    const first = nodes.findIndex((node) => node.phase >= phase);
    phases.push(first === -1 ? nodes.length : first);
  }
  return {
    graph,
    savedBytes: plan.unsharedBytes - plan.arenaBytes,
    spec: {
      buffers,
      instructions,
      arenaBytes: plan.arenaBytes,
      slots: graph.slots.map((s) => s.name),
      sections: graph.sections.map((s) => s.name),
      reports: reportIds,
      status,
      phases,
    },
  };
}

/** Nodes that a report or an update in place depends on, aliases left out, in program order. */
function liveNodes(graph: Graph, reports: readonly Value[]): Node[] {
  const live = new Set<Node>();
  const mark = (value: Value): void => {
    if (value.node !== undefined) live.add(value.node);
  };
  reports.forEach(mark);
  // Every node comes after those it reads, so one pass from the end is enough.
  for (const node of [...graph.nodes].reverse()) {
    if (node.op.mutates) live.add(node);
    if (live.has(node)) node.inputs.forEach(mark);
  }
  return graph.nodes.filter((node) => live.has(node) && !node.op.alias);
}

/** A value made in a section exists only in the steps that ran it. */
function checkSections(nodes: readonly Node[]): void {
  for (const node of nodes) {
    for (const input of node.inputs) {
      const from = input.node?.section ?? 0;
      if (from !== 0 && from !== node.section) {
        throw new FlatminError(
          'FLATMIN_ARGUMENT',
          `Op "${node.op.name}" reads a value of a section that may not have run. Keep it in the store.`,
        );
      }
    }
  }
}

/** Values that live in another value's memory: aliases, and outputs that take over a dying input. */
function shareInPlace(nodes: readonly Node[], reports: readonly Value[]): Map<Value, Value> {
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
  return owners;
}

/** Follows alias ops to the value whose memory is used. */
function rootOf(value: Value): Value {
  let root = value;
  while (root.node?.op.alias) root = root.node.inputs[0];
  return root;
}

function ownerOf(owners: ReadonlyMap<Value, Value>, value: Value): Value {
  let owner = rootOf(value);
  for (let next = owners.get(owner); next !== undefined; next = owners.get(owner))
    owner = rootOf(next);
  return owner;
}
