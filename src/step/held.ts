import type { Store } from '../backend/backend.ts';
import type { Age } from '../graph/moment.ts';
import { sameShape } from '../graph/types.ts';
import { STATUS, STATUS_KEY } from '../ops/status.ts';
import { ageSuffix } from './age.ts';
import { splitState } from './beside.ts';
import {
  checkState,
  type Loaded,
  type LoadOptions,
  readState,
  STEP_KEY,
  type StateDict,
  type StateKeys,
  writeState,
} from './state-dict.ts';

/** State in a store, of parameters of which some may have joined later than others. */
export interface Held {
  readonly store: Store;
  readonly keys: StateKeys;
  readonly params: readonly { readonly name: string; readonly age: Age }[];
}

export type Ages = ReadonlyMap<string, Age>;

/** The age of a parameter that joins after the steps that a state says, or after `taken`. */
export const ageAfter = (state: StateDict, taken: number): Age => ({
  step: state[STEP_KEY]?.data?.[0] ?? taken,
  skipped: state[STATUS_KEY]?.data?.[STATUS.skipped] ?? 0,
});

export const hasAges = ({ params }: Held, ages: Ages): boolean =>
  params.length === ages.size && params.every(({ name, age }) => ages.get(name)?.step === age.step);

/** Names of the parameters that have state of their own here, none of which is in `state`. */
export function lacking(held: Held, state: StateDict): string[] {
  const found = new Map<string, boolean>();
  for (const name of held.keys.keys()) {
    const { owner } = parse(held, name);
    if (owner !== undefined) found.set(owner, found.get(owner) || Object.hasOwn(state, name));
  }
  return [...found].flatMap(([name, any]) => (any ? [] : [name]));
}

/** Puts what can be kept of the state of `before` into `held`; what is new stays as it is. */
export function keep(held: Held, before: Held): void {
  const given = readState(before.store, before.keys);
  for (const [key, place] of held.keys) {
    const { owner, base, age } = parse(held, key);
    // What several share is that of the first who did.
    const name = owner ?? held.params.find((p) => p.age.step === age)?.name;
    const old = before.params.find((p) => p.name === name);
    if (name !== undefined && old === undefined) continue;
    const tensor = given[base + ageSuffix(old?.age.step ?? 0)] ?? given[base];
    if (tensor !== undefined && sameShape(tensor.shape, held.store.type(place).shape)) {
      held.store.write(place, tensor.data);
    }
  }
}

/**
 * Loads a state, all of it or nothing; `replace` makes what holds parameters of other ages, with all that can be kept. With
 * `strict: false` a parameter of which there is nothing in the state keeps what it has, its own count of steps too.
 */
export function loadHeld<H extends Held>(
  before: H,
  state: StateDict,
  options: LoadOptions,
  { taken, replace }: { taken: number; replace: (ages: Ages) => H },
): { held: H; loaded: Loaded; epoch: number | undefined } {
  checkState(state, options);
  const names = before.params.map(({ name }) => name);
  const { epoch, ages, tensors } = splitState(state, names);
  const withAges = () => (hasAges(before, ages) ? before : replace(ages));
  let held = withAges();
  let given = tensors;
  if (options.strict === false) {
    const now = ageAfter(tensors, taken);
    const here = ageAfter(readState(before.store, before.keys), taken);
    const left = new Set(lacking(held, tensors));
    for (const { name, age } of before.params) {
      if (!left.has(name)) continue;
      const own = { step: here.step - age.step, skipped: here.skipped - age.skipped };
      ages.set(name, { step: now.step - own.step, skipped: now.skipped - own.skipped });
    }
    held = withAges();
    given = fitting(held, tensors);
  }
  return { held, loaded: writeState(held.store, held.keys, given, options), epoch };
}

/** `state` without what several parameters share in another shape than here: counters, which begin anew. */
function fitting(held: Held, state: StateDict): StateDict {
  const entries = Object.entries(state).filter(([name, tensor]) => {
    const key = held.keys.get(name);
    if (key === undefined || !isState(name) || parse(held, name).owner !== undefined) return true;
    return !Array.isArray(tensor?.shape) || sameShape(tensor.shape, held.store.type(key).shape);
  });
  return Object.fromEntries(entries);
}

const isState = (name: string) => name.startsWith('state/');

/** Whose a tensor of state is, if one parameter's (the longest name that it ends with), and its age. */
function parse({ params }: Held, key: string) {
  const age = params.map((p) => p.age.step).find((step) => step && key.endsWith(ageSuffix(step)));
  const base = key.slice(0, key.length - ageSuffix(age ?? 0).length);
  const owners = params.filter(({ name }) => isState(base) && base.endsWith(`/${name}`));
  const lengths = owners.map(({ name }) => name.length);
  const owner = owners.find(({ name }) => name.length === Math.max(...lengths))?.name;
  return { owner, base, age: age ?? 0 };
}
