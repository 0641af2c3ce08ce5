import type { Store } from '../backend/backend.ts';
import { type DeviceOptions, openStore } from '../backend/device.ts';
import { FlatminError } from '../errors.ts';
import { compile } from '../graph/compile.ts';
import { Graph } from '../graph/graph.ts';
import { type Age, FROM_THE_START } from '../graph/moment.ts';
import { type Shape, sameShape } from '../graph/types.ts';
import { type NonFinitePolicy, STATUS_KEY } from '../ops/status.ts';
import type { Params } from './arrays.ts';
import { CompiledStep, type StepProgram } from './compiled-step.ts';
import type { Traceable } from './context.ts';
import { fromArrays, paramKey } from './from-arrays.ts';
import type { Ages, Held } from './held.ts';
import type { Observation } from './observation.ts';
import { byKey, STEP_KEY, type StateKeys } from './state-dict.ts';
import { traceStep } from './trace.ts';

/** A parameter as a program knows it. */
interface Bound {
  readonly name: string;
  readonly shape: Shape;
  readonly age: Age;
}

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
  readonly #steps = new Map<string, CompiledStep>();
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

  /** The step for the layers that were observed; those for all of them share the state. */
  step(observations: ReadonlyMap<string, Observation>): CompiledStep {
    const key = JSON.stringify(
      [...observations].map(([name, { inputs, attrs }]) => [name, inputs.shape, attrs]),
    );
    let known = this.#steps.get(key);
    if (known === undefined) {
      known = new CompiledStep(this.store, this.#trace(observations));
      for (const key of known.stateKeys.values()) this.#stateKeys.add(key);
    }
    // The last one used stands last.
    this.#steps.delete(key);
    this.#steps.set(key, known);
    const [[oldest, { program }]] = this.#steps;
    if (this.#steps.size > PROGRAMS) {
      this.#steps.delete(oldest);
      // In a loop that never yields nothing else would free it.
      program.free();
    }
    return known;
  }

  #trace(observations: ReadonlyMap<string, Observation>): StepProgram {
    const graph = new Graph();
    const { status, states, scalars } = traceStep(this.#optimizer, graph, {
      params: this.params,
      buffer: (name, shape) => graph.bound(paramKey(name), { dtype: 'f32', shape }),
      source: (params) => fromArrays(this.#optimizer, graph, params, observations),
      onNonFinite: this.#policy,
    });
    const compiled = compile(graph, { reports: scalars.values, status });
    return { compiled, states, scalars, names: this.params.map(({ name }) => name) };
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
