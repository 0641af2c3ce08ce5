/** What an op must leave alone: memory beside its operands, and everything under a set status block. */
import type { Store } from '../../src/backend/backend.ts';
import { Program } from '../../src/backend/program.ts';
import type { Numbers } from '../../src/graph/kernel.ts';
import { BYTES, bytesOf, type ProgramSpec, sizeOf } from '../../src/graph/types.ts';
import { findOp } from '../../src/ops/define.ts';
import { STATUS } from '../../src/ops/status.ts';
import { contentsOf, MOMENT, type Traced } from './harness.ts';

/** Bytes on either side of an operand: four of the widest vectors. */
const GUARD = 256;
/** Of a guard, and of memory that no one has written yet. */
const FILLING = 0xa5;

const ARRAYS = { f32: Float32Array, bf16: Uint16Array, i32: Int32Array, u8: Uint8Array } as const;

interface Guarded {
  readonly bytes: Uint8Array;
  readonly data: Numbers;
}

/** An operand between guards, which begins one element past where a vector would. */
function guarded({ dtype, shape }: ProgramSpec['buffers'][number]): Guarded {
  const start = GUARD + BYTES[dtype];
  const bytes = new Uint8Array(start + bytesOf({ dtype, shape }) + GUARD).fill(FILLING);
  return { bytes, data: new ARRAYS[dtype](bytes.buffer, start, sizeOf(shape)) };
}

function isWhole({ bytes, data }: Guarded): boolean {
  const { byteOffset: start, byteLength } = data;
  return [bytes.subarray(0, start), bytes.subarray(start + byteLength)].every((guard) =>
    guard.every((b) => b === FILLING),
  );
}

/** Operands by buffer: one for each stored buffer, and one for each output, which views of it share. */
function guardedOperands({ case: c, spec }: Traced): readonly Guarded[] {
  const byBuffer: Guarded[] = [];
  const byPlace = new Map<string, Guarded>();
  const reach = (id: number, isMade: boolean): void => {
    if (byBuffer[id] !== undefined) return;
    const { place } = spec.buffers[id];
    const inArena = place.kind === 'arena';
    // Views are of their buffer's size, and others that begin where it does are not there at the same time.
    const at = inArena ? `${place.offset} ${bytesOf(spec.buffers[id])}` : place.key;
    const known = isMade && inArena ? undefined : byPlace.get(at);
    const operand = known ?? guarded(spec.buffers[id]);
    byBuffer[id] = operand;
    byPlace.set(at, operand);
    if (inArena || known !== undefined) return;
    operand.data.set(contentsOf(c, place.key, operand.data.length) ?? operand.data.map(() => 0));
  };
  for (const { inputs, outputs } of spec.instructions) {
    for (const id of inputs) reach(id, false);
    for (const id of outputs) reach(id, true);
  }
  for (const id of spec.buffers.keys()) reach(id, false);
  return byBuffer;
}

/** Every operand is an array of its own between guards; `overwritten` names those whose guards are not whole. */
export function runBetweenGuards(
  traced: Traced,
  store: Store,
): { outputs: Numbers[]; overwritten: string[] } {
  const { case: c, spec, compiled, outputs } = traced;
  const operands = guardedOperands(traced);
  const bound: ProgramSpec = {
    ...spec,
    buffers: spec.buffers.map((b, id) => ({ ...b, place: { kind: 'bound', key: `${id}` } })),
  };
  new Program({ ...compiled, spec: bound }, store).runSync(
    c.moments ?? [MOMENT],
    operands.map(({ data }) => data),
  );
  return {
    outputs: outputs.map((id) => operands[id].data),
    overwritten: operands.flatMap((operand, id) =>
      isWhole(operand)
        ? []
        : spec.instructions.flatMap(({ op, inputs, outputs }) => [
            ...inputs.flatMap((input, i) => (input === id ? [`input ${i} of ${op}`] : [])),
            ...outputs.flatMap((output, i) => (output === id ? [`output ${i} of ${op}`] : [])),
          ]),
    ),
  };
}

/** The stored status block that all of a program's updates read. */
function statusOf({ spec, isGradient }: Traced): string | undefined {
  if (isGradient) return undefined;
  const updates = spec.instructions.filter(({ op }) => findOp(op).mutates);
  const blocks = updates.map(({ inputs: [first] }) => spec.buffers[first]);
  const [block] = blocks;
  const isStatus =
    block?.dtype === 'i32' &&
    `${block.shape}` === '8' &&
    block.place.kind === 'store' &&
    blocks.every((other) => other === block);
  return isStatus && block.place.kind === 'store' ? block.place.key : undefined;
}

export const readsStatus = (traced: Traced): boolean => statusOf(traced) !== undefined;

/** Stored buffers that a run changes although the status block ended the training, or skips the step. */
export function whileStanding(traced: Traced, open: () => Store): string[] {
  const { case: c, spec, compiled } = traced;
  const status = statusOf(traced) as string;
  // The first check of a step ends the skip of the step before.
  const endsSkip = spec.instructions.some(({ op, attrs }) => op === 'checkFinite' && !attrs.again);
  const words = endsSkip ? (['stop'] as const) : (['stop', 'skip'] as const);
  return words.flatMap((word) => {
    const store = open();
    for (const { key, type } of compiled.graph.buffers) store.declare(key, type);
    const program = new Program(compiled, withOutputs(store, spec));
    const before = [...compiled.graph.buffers].map(({ key, size, dtype }) => {
      const data = Array.from(contentsOf(c, key, size) ?? new ARRAYS[dtype](size));
      if (key === status) {
        data[STATUS.stop] = Number(word === 'stop');
        data[STATUS.skip] = Number(word === 'skip');
      }
      store.write(key, ARRAYS[dtype].from(data));
      return { key, bits: bitsOf(store.read(key)) };
    });
    program.runSync(c.moments ?? [MOMENT]);
    return before
      .filter(({ key, bits }) => !bits.equals(bitsOf(store.read(key))))
      .map(({ key }) => `${key} under ${word}`);
  });
}

const bitsOf = ({ buffer, byteOffset, byteLength }: Numbers): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);

/** Outputs of a traced case stand in the store, which has to know them. */
function withOutputs(store: Store, { buffers }: ProgramSpec): Store {
  for (const { place, dtype, shape } of buffers) {
    // A view of a stored buffer has its key.
    if (place.kind === 'store' && !store.has(place.key)) store.declare(place.key, { dtype, shape });
  }
  return store;
}
