import type { RunOptions, RunResult, Store } from '../backend/backend.ts';
import type { Pace } from '../backend/pace.ts';
import { Program } from '../backend/program.ts';
import type { Compiled } from '../graph/compile.ts';
import type { Numbers } from '../graph/kernel.ts';
import type { Moment } from '../graph/moment.ts';
import { initialise } from './initialise.ts';
import type { Scalars } from './scalars.ts';
import type { StateKeys } from './state-dict.ts';
import { stopError } from './stop.ts';
import type { StateSpec } from './trace.ts';

export interface StepProgram {
  readonly compiled: Compiled;
  readonly states: readonly StateSpec[];
  readonly scalars: Scalars;
  /** Of the parameters, by their index. */
  readonly names: readonly string[];
}

/** A traced step on a store; state that the store lacks begins as the method has it. */
export class CompiledStep {
  readonly program: Program;
  readonly scalars: Scalars;
  /** Names of the optimizer's state, `state/…`, with their keys in the store. */
  readonly stateKeys: StateKeys;
  readonly #store: Store;
  readonly #names: readonly string[];

  constructor(store: Store, { compiled, states, scalars, names }: StepProgram) {
    const fresh = states.filter(({ key }) => !store.has(key));
    this.program = new Program(compiled, store);
    initialise(store, fresh);
    this.scalars = scalars;
    this.stateKeys = new Map(states.map(({ name, key }) => [name, key]));
    this.#store = store;
    this.#names = names;
  }

  /** A step for each moment; `FLATMIN_NUMERICS` when the status block stopped the run. */
  runSync(moments: readonly Moment[], bindings?: readonly Numbers[], phase?: number): RunResult {
    return this.#checked(this.program.runSync(moments, bindings, phase));
  }

  /** The same off the main thread. */
  async run(
    moments: readonly Moment[],
    options?: RunOptions & { readonly pace?: Pace },
  ): Promise<RunResult> {
    return this.#checked(await this.program.run(moments, options));
  }

  #checked(result: RunResult): RunResult {
    if (result.stopped) throw stopError(this.#store, this.#names);
    return result;
  }
}
