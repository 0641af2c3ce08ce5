import { isFloat32Array, show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { type Shape, sizeOf } from '../graph/types.ts';

/** A tensor in the caller's memory, row-major. */
export interface ArrayTensor {
  /** Row by row, matrix after matrix. */
  readonly data: Float32Array;
  /** [n, n], or [count, n, n] of a batch. */
  readonly shape: Shape;
}

/** Named tensors to train: `{ 'fc.weight': { data, shape: [84, 120] } }`. */
export type Params = Readonly<Record<string, ArrayTensor>>;

/** One gradient for each parameter, under its name. */
export type Grads = Readonly<Record<string, Float32Array>>;

const fail = (message: string): never => {
  throw new FlatminError('FLATMIN_ARGUMENT', message);
};

/** Throws unless `data` is a Float32Array of `size` elements that is still attached. */
export function checkArray(
  what: string,
  data: unknown,
  size: number,
): asserts data is Float32Array {
  if (!isFloat32Array(data)) {
    return fail(`${what} must be a Float32Array of ${size} elements, got ${typeOf(data)}`);
  }
  // V8 of Node 20, once optimised for resizable buffers too, gives the old length of a detached array now and then.
  const end = data.byteOffset + size * data.BYTES_PER_ELEMENT;
  if (data.length === size && data.buffer.byteLength >= end) return;
  const detached = data.buffer.byteLength === 0 && size > 0;
  fail(
    detached
      ? `${what} is detached: its buffer was transferred or resized to nothing`
      : `${what} must have ${size} elements, got ${data.length}`,
  );
}

export function checkShape(what: string, shape: unknown): asserts shape is Shape {
  const holds = Array.isArray(shape) && shape.every((d) => Number.isSafeInteger(d) && d >= 0);
  if (!holds) fail(`${what} must have a shape of whole numbers, got ${show(shape)}`);
}

export function checkParams(params: Params): void {
  checkRecord('Parameters', params);
  if (Object.keys(params).length === 0) fail('There are no parameters to train');
  for (const [name, tensor] of Object.entries(params)) {
    checkShape(`Parameter "${name}"`, tensor?.shape);
    checkArray(`Parameter "${name}"`, tensor.data, sizeOf(tensor.shape));
  }
}

/** Throws unless `grads` has one array for each parameter and nothing else. */
export function checkGrads(params: Params, grads: Grads): void {
  checkRecord('Gradients', grads);
  const names = Object.keys(params);
  const missing = names.filter((name) => !Object.hasOwn(grads, name));
  const unknown = Object.keys(grads).filter((name) => !Object.hasOwn(params, name));
  if (missing.length > 0) fail(`Gradients are missing for ${list(missing)}`);
  if (unknown.length > 0) fail(`Gradients came for ${list(unknown)}, which are no parameters`);
  for (const name of names) {
    checkArray(`The gradient of "${name}"`, grads[name], params[name].data.length);
  }
}

/** Throws unless `record` is a plain object. */
export function checkRecord(what: string, record: unknown): void {
  if (typeof record === 'object' && record !== null && !ArrayBuffer.isView(record)) return;
  fail(`${what} must be an object of entries by name, got ${typeOf(record)}`);
}

const typeOf = (value: unknown): string =>
  value === null
    ? 'null'
    : typeof value === 'object'
      ? (value.constructor?.name ?? 'object')
      : typeof value;

const lowerFirst = (text: string): string => text[0].toLowerCase() + text.slice(1);

const list = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

/** Throws when two arrays share memory: an update would read what it has already written. */
export function checkApart(arrays: readonly { what: string; data: Float32Array }[]): void {
  const byBuffer = new Map<ArrayBufferLike, { what: string; data: Float32Array }[]>();
  for (const entry of arrays) {
    if (entry.data.length === 0) continue;
    const others = byBuffer.get(entry.data.buffer);
    if (others === undefined) byBuffer.set(entry.data.buffer, [entry]);
    else others.push(entry);
  }
  for (const group of byBuffer.values()) {
    if (group.length < 2) continue;
    group.sort((a, b) => a.data.byteOffset - b.data.byteOffset);
    for (let i = 1; i < group.length; i++) {
      const { what, data } = group[i - 1];
      if (data.byteOffset + data.byteLength > group[i].data.byteOffset) {
        fail(`${what} and ${lowerFirst(group[i].what)} overlap in memory; give each its own`);
      }
    }
  }
}
