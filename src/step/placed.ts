import type { Store } from '../backend/backend.ts';
import { type DeviceOptions, openStore } from '../backend/device.ts';
import { Program } from '../backend/program.ts';
import { FlatminError } from '../errors.ts';
import { FROM_THE_START } from '../graph/moment.ts';
import { type Shape, sameShape } from '../graph/types.ts';
import { type NonFinitePolicy, STATUS_KEY } from '../ops/status.ts';
import type { Params } from './arrays.ts';
import { type Bound, traceBound } from './bound-trace.ts';
import type { Traceable } from './context.ts';
import type { Ages, Held } from './held.ts';
import { initialise } from './initialise.ts';
import type { Observation } from './observation.ts';
import type { Scalars } from './scalars.ts';
import { byKey, STEP_KEY, type StateKeys } from './state-dict.ts';

export interface Settings extends DeviceOptions {
  readonly onNonFinite: NonFinitePolicy;
}

/** Programs that are kept for the shapes observed last. */
const PROGRAMS = 16;

/** A method's programs and state for one set of parameters; where they or their ages change, another takes its place. */
export class Placed implements Held {
  readonly store: Store;
  readonly params: readonly Bound[];
  readonly #optimizer: Traceable;
  readonly #policy: NonFinitePolicy;
  readonly #programs = new Map<string, { program: Program; scalars: Scalars }>();
  readonly #stateKeys = new Set([STATUS_KEY, STEP_KEY]);

  constructor(optimizer: Traceable, params: Params, settings: Settings, ages: Ages = new Map()) {
    this.#optimizer = optimizer;
    this.#policy = settings.onNonFinite;
    this.params = Object.entries(params).map(([name, { shape }]) => {
      return { name, shape: [...shape], age: ages.get(name) ?? FROM_THE_START };
    });
    this.store = openStore(settings);
    this.store.declare(STEP_KEY, { dtype: 'i32', shape: [1] });
  }

  /** The program for the layers that were observed; those for all of them share the state. */
  traced(observations: ReadonlyMap<string, Observation>): { program: Program; scalars: Scalars } {
    const key = JSON.stringify(
      [...observations].map(([name, { inputs, attrs }]) => [name, inputs.shape, attrs]),
    );
    let known = this.#programs.get(key);
    if (known === undefined) {
      const traced = traceBound(this.#optimizer, this.params, observations, this.#policy);
      const fresh = traced.states.filter(({ key }) => !this.store.has(key));
      known = { program: new Program(traced.compiled, this.store), scalars: traced.scalars };
      for (const { key } of traced.states) this.#stateKeys.add(key);
      initialise(this.store, fresh);
    }
    // The last one used stands last.
    this.#programs.delete(key);
    this.#programs.set(key, known);
    const [oldest] = this.#programs.keys();
    if (this.#programs.size > PROGRAMS) this.#programs.delete(oldest);
    return known;
  }

  get keys(): StateKeys {
    return byKey(this.#stateKeys);
  }

  /** True for the parameters that it was made for; `FLATMIN_ARGUMENT` where one has another shape. */
  isFor(params: Params): boolean {
    const given = Object.keys(params).length;
    for (const { name, shape } of this.params) {
      if (!Array.isArray(params[name]?.shape)) return false;
      checkSame(name, shape, params[name].shape);
    }
    return given === this.params.length;
  }
}

function checkSame(name: string, known: Shape, given: Shape): void {
  if (sameShape(known, given)) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `Parameter "${name}" must have the shape [${known.join(', ')}] that it joined with, got [${given.join(', ')}]. Help: give the new tensor another name, or step once without the old one.`,
  );
}
