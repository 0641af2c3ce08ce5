import type { Compiled } from '../graph/compile.ts';
import type { Numbers } from '../graph/kernel.ts';
import type { Moment } from '../graph/moment.ts';
import { operationsOf } from '../graph/operations.ts';
import type { Executable, RunOptions, RunResult, Store } from './backend.ts';
import type { Pace } from './pace.ts';

const NOTHING: RunResult = { steps: 0, reports: new Float32Array(0), stopped: false };

/** Of an operation, as slow as there are some. */
const MILLISECONDS = 5e-6;

/** A compiled trace on a store: turns moments into parameter rows and runs them. */
export class Program {
  readonly compiled: Compiled;
  readonly #executable: Executable;
  /** Of a step, as its last run took them, by the sections that were due in it. */
  readonly #milliseconds = new Map<string, number>();
  /** Of a step before there was any. */
  readonly #guess: number;

  constructor(compiled: Compiled, store: Store) {
    this.compiled = compiled;
    for (const value of compiled.graph.buffers) {
      if (value.place === 'store') store.declare(value.key, value.type);
    }
    this.#executable = store.load(compiled.spec);
    this.#guess = operationsOf(compiled.graph) * MILLISECONDS;
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

  /** The same off the main thread; with a `pace`, short runs are done at once. */
  async run(
    moments: readonly Moment[],
    { pace, ...options }: RunOptions & { readonly pace?: Pace } = {},
  ): Promise<RunResult> {
    if (pace === undefined) return this.#executable.run(this.#rows(moments), options);
    if (options.signal?.aborted) return NOTHING;
    const known = this.#milliseconds.get(this.#sectionsOf(moments));
    if (known !== undefined || moments.length < 2 || !pace.isShort(this.#guess)) {
      return this.#paced(moments, known ?? this.#guess, pace, options);
    }
    // One step tells what the others take.
    const first = await this.#paced(moments.slice(0, 1), this.#guess, pace, options);
    if (first.stopped) return first;
    const rest = await this.run(moments.slice(1), { ...options, pace });
    const reports = new Float32Array(first.reports.length + rest.reports.length);
    reports.set(first.reports);
    reports.set(rest.reports, first.reports.length);
    return { ...rest, steps: first.steps + rest.steps, reports };
  }

  async #paced(
    moments: readonly Moment[],
    expected: number,
    pace: Pace,
    options: RunOptions,
  ): Promise<RunResult> {
    const rows = this.#rows(moments);
    let begun = 0;
    const timed = <T>(work: () => T): T => {
      begun = performance.now();
      return work();
    };
    const { bindings, phase } = options;
    const result = await pace.do(expected * moments.length, {
      now: () => timed(() => this.#executable.runSync(rows, bindings, phase)),
      later: () => timed(() => this.#executable.run(rows, options)),
    });
    const { steps } = result;
    const sections = this.#sectionsOf(moments);
    if (steps > 0) this.#milliseconds.set(sections, (performance.now() - begun) / steps);
    return result;
  }

  /** The sections that are due in some of these steps: those that are seldom take their own time. */
  #sectionsOf(moments: readonly Moment[]): string {
    const due = (s: number) =>
      moments.some(({ step }) => this.compiled.graph.sections[s].due(step));
    return this.compiled.graph.sections.map((_, s) => (s > 0 && due(s) ? s : '')).join(' ');
  }

  /** Gives back what it takes beside the store; no run may follow. */
  free(): void {
    this.#executable.free();
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
