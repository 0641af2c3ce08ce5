import { checkBoolean, checkNames, show } from '../arguments.ts';
import { newNumbers, type Store } from '../backend/backend.ts';
import { FlatminError } from '../errors.ts';
import type { Numbers } from '../graph/kernel.ts';
import { type Shape, sameShape, sizeOf, type TensorType } from '../graph/types.ts';

/**
 * Tensors by name: copies, in both directions. Parameters and most state are Float32Arrays, counters
 * Int32Arrays, bfloat16 stands as its bits in Uint16Arrays.
 */
export type StateDict = Readonly<Record<string, { readonly data: Numbers; readonly shape: Shape }>>;

/** How a state is taken over. */
export interface LoadOptions {
  /** Refuse a state that lacks a tensor or has others. Default true; a tensor that does not fit is always refused. */
  readonly strict?: boolean;
}

/** What a state left out, and what it had too much. */
export interface Loaded {
  /** Tensors that the state lacks: they stay as they are. */
  readonly missing: readonly string[];
  /** Tensors of the state that have no place. */
  readonly unexpected: readonly string[];
}

/** Names of a state's tensors and their keys in the store. */
export type StateKeys = ReadonlyMap<string, string>;

/** Tensors that go by their keys. */
export const byKey = (keys: Iterable<string>): StateKeys =>
  new Map(Array.from(keys, (key) => [key, key]));

/** Where the count of steps stands while a state is read or written. */
export const STEP_KEY = 'step';

export const readState = (store: Store, keys: StateKeys): StateDict =>
  Object.fromEntries(
    [...keys].map(([name, key]) => [name, { data: store.read(key), shape: store.type(key).shape }]),
  );

export function checkState(state: StateDict, options: LoadOptions): void {
  checkNames<LoadOptions>('loadStateDict', options, { strict: true });
  if (options.strict !== undefined) checkBoolean('strict', options.strict);
  if (typeof state === 'object' && state !== null) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `A state must be an object of tensors, got ${show(state)}`,
  );
}

/** Puts a state into the store, all of it or nothing; `FLATMIN_CHECKPOINT` lists what does not fit. */
export function writeState(
  store: Store,
  keys: StateKeys,
  state: StateDict,
  options: LoadOptions = {},
): Loaded {
  const loaded = checkFit(store, keys, state, options);
  for (const [name, key] of keys) {
    if (Object.hasOwn(state, name)) store.write(key, state[name].data);
  }
  return loaded;
}

/** What of a state `writeState` would take; the same errors. */
export function checkFit(
  store: Store,
  keys: StateKeys,
  state: StateDict,
  options: LoadOptions = {},
): Loaded {
  checkState(state, options);
  const { strict = true } = options;
  const missing = [...keys.keys()].filter((name) => !Object.hasOwn(state, name));
  const unexpected = Object.keys(state).filter((name) => !keys.has(name));
  const common = [...keys].filter(([name]) => Object.hasOwn(state, name));
  const complaints = [
    ...(strict ? missing.map((name) => `"${name}" is missing`) : []),
    ...(strict ? unexpected.map((name) => `"${name}" is unexpected`) : []),
    ...common.flatMap(([name, key]) => misfits(name, state[name], store.type(key))),
  ];
  if (complaints.length > 0) {
    throw new FlatminError(
      'FLATMIN_CHECKPOINT',
      `The state does not fit: ${complaints.join('; ')}`,
    );
  }
  return { missing, unexpected };
}

function misfits(name: string, given: StateDict[string], { dtype, shape }: TensorType): string[] {
  const list = (dims: unknown) => (Array.isArray(dims) ? `[${dims.join(', ')}]` : 'none');
  if (!Array.isArray(given?.shape) || !sameShape(given.shape, shape)) {
    return [`"${name}" has shape ${list(given?.shape)}, not ${list(shape)}`];
  }
  const kind = (data: Numbers | undefined) => data?.constructor?.name ?? 'nothing';
  const wanted = newNumbers(dtype, 0);
  if (kind(given.data) === kind(wanted) && given.data.length === sizeOf(shape)) {
    const before = name === STEP_KEY && given.data[0] < 0;
    return before ? [`"${name}" is ${given.data[0]}, and steps count from 0`] : [];
  }
  return [
    `"${name}" holds a ${kind(given.data)} of ${given.data?.length}, not a ${kind(wanted)} of ${sizeOf(shape)}`,
  ];
}
