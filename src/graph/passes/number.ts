import type { Value } from '../graph.ts';
import type { BufferSpec, Instruction, ProgramSpec } from '../types.ts';
import { type Draft, ownerOf } from './draft.ts';

/** Writes a draft as plain data: every value becomes a numbered buffer, in the order in which they are first named. */
export function numbered(draft: Draft): ProgramSpec {
  const { graph, nodes, reports, status, arenaBytes } = draft;
  const ids = new Map<Value, number>();
  const idOf = (value: Value): number => {
    const id = ids.get(value) ?? ids.size;
    ids.set(value, id);
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
  const statusId = status === undefined ? -1 : idOf(status);
  return {
    buffers: [...ids.keys()].map((value) => bufferOf(draft, value)),
    instructions,
    arenaBytes,
    slots: graph.slots.map((s) => s.name),
    sections: graph.sections.map((s) => s.name),
    reports: reportIds,
    status: statusId,
    phases: graph.phases.map((_, phase) => {
      const first = nodes.findIndex((node) => node.phase >= phase);
      return first === -1 ? nodes.length : first;
    }),
  };
}

function bufferOf(draft: Draft, value: Value): BufferSpec {
  const owner = ownerOf(draft, value);
  return {
    dtype: value.dtype,
    shape: value.shape,
    place:
      owner.place === 'arena'
        ? { kind: 'arena', offset: draft.offsets.get(owner) ?? 0 }
        : { kind: owner.place, key: owner.key },
  };
}
