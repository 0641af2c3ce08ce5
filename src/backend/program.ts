import type { Compiled } from '../graph/compile.ts';
import type { Numbers } from '../graph/kernel.ts';
import type { Moment } from '../graph/moment.ts';
import type { Executable, RunOptions, RunResult, Store } from './backend.ts';

/** A compiled trace on a store: turns moments into parameter rows and runs them. */
export class Program {
  readonly compiled: Compiled;
  readonly #executable: Executable;

  constructor(compiled: Compiled, store: Store) {
    this.compiled = compiled;
    for (const value of compiled.graph.buffers) {
      if (value.place === 'store') store.declare(value.key, value.type);
    }
    this.#executable = store.load(compiled.spec);
    this.bound = compiled.spec.buffers.flatMap(({ place }) =>
      place.kind === 'bound' ? [place.key] : [],
    );
  }

  /** Keys of the bound buffers, in the order in which `runSync` takes their arrays. */
  readonly bound: readonly string[];

  /** One step for each moment; returns the reports, a row of them a step. */
  runSync(moments: readonly Moment[], bindings?: readonly Numbers[], phase?: number): RunResult {
    return this.#executable.runSync(this.#rows(moments), bindings, phase);
  }

  /** The same off the main thread. */
  run(moments: readonly Moment[], options?: RunOptions): Promise<RunResult> {
    return this.#executable.run(this.#rows(moments), options);
  }

  #rows(moments: readonly Moment[]): Float64Array {
    const { slots, sections } = this.compiled.graph;
    const width = slots.length + sections.length - 1;
    const rows = new Float64Array(moments.length * width);
    let at = 0;
    for (const moment of moments) {
      for (const slot of slots) rows[at++] = slot.at(moment);
      for (let s = 1; s < sections.length; s++) rows[at++] = Number(sections[s].due(moment.step));
    }
    return rows;
  }
}
