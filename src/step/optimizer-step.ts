import type { RunOptions, RunResult, Store } from '../backend/backend.ts';
import { Program } from '../backend/program.ts';
import { compile } from '../graph/compile.ts';
import { Graph, type Node, type Value } from '../graph/graph.ts';
import { FROM_THE_START, type Moment } from '../graph/moment.ts';
import { checkPrecision, type Precision } from '../graph/precision.ts';
import type { Init } from '../nn/init.ts';
import { type ParameterSpec, parameterKey } from '../nn/layer.ts';
import { assign, keep } from '../ops/assign.ts';
import { fill } from '../ops/fill.ts';
import { checkFinite, type NonFinitePolicy, statusBlock } from '../ops/status.ts';
import type { OptimizerTrace, Pass, Traceable } from './context.ts';
import type { Ages } from './held.ts';
import { initialise } from './initialise.ts';
import { type PassOptions, passes } from './pass.ts';
import { Scalars, type StepScalars } from './scalars.ts';
import type { StateKeys } from './state-dict.ts';
import { stopError } from './stop.ts';

export const stateKey = (name: string): string => `state/${name}`;

export interface StepOptions extends PassOptions {
  readonly params: readonly ParameterSpec[];
  readonly optimizer: Traceable;
  readonly onNonFinite: NonFinitePolicy;
  /** Default `float32`. */
  readonly precision?: Precision;
  /** Of parameters that joined after the first step. */
  readonly ages?: Ages;
  /** What keys of state begin with in the store. Default `state/`. */
  readonly place?: string;
}

/** What a step tells. */
export interface StepResult extends StepScalars {
  readonly loss: number;
  /** What it weighs in a mean over steps: examples, or what the loss' `weights` of its rows add up to. */
  readonly weight: number;
}

/** One compiled optimizer step: batch, forward, backward, update. */
export class OptimizerStep {
  readonly program: Program;
  /** The step's ops, without those that only tell whether it was skipped. */
  readonly traced: readonly Node[];
  /** Names of the optimizer's state, `state/…`, with their keys in the store. */
  readonly stateKeys: StateKeys;
  readonly #store: Store;
  readonly #names: readonly string[];
  readonly #scalars: Scalars;
  /** What every step weighs; `undefined` where it is the second report. */
  readonly #weight: number | undefined;

  constructor(store: Store, options: StepOptions) {
    const { compiled, states, scalars, traced, weight } = traceStep(options);
    const fresh = states.filter(({ key }) => !store.has(key));
    this.program = new Program(compiled, store);
    initialise(store, fresh);
    this.traced = traced;
    this.#store = store;
    this.#scalars = scalars;
    this.#weight = weight;
    this.#names = options.params.map((p) => p.name);
    this.stateKeys = new Map(states.map(({ name, key }) => [name, key]));
  }

  /** A step for each moment; `FLATMIN_NUMERICS` when the status block stopped the run. */
  runSync(moments: readonly Moment[]): RunResult {
    const result = this.program.runSync(moments);
    if (result.stopped) throw stopError(this.#store, this.#names);
    return result;
  }

  async run(moments: readonly Moment[], options?: RunOptions): Promise<RunResult> {
    const result = await this.program.run(moments, options);
    if (result.stopped) throw stopError(this.#store, this.#names);
    return result;
  }

  /** What the steps of a run that began with step `first` told, from its step number `from` (0 the first) on. */
  results({ steps, reports }: RunResult, first: number, from = 0): StepResult[] {
    const own = this.#weight === undefined ? 2 : 1;
    const width = this.#scalars.values.length + own;
    return Array.from({ length: steps - from }, (_, i) => {
      const at = (from + i) * width;
      return {
        loss: reports[at],
        weight: this.#weight ?? reports[at + 1],
        ...this.#scalars.read(reports, at + own, first + from + i),
      };
    });
  }
}

interface StateSpec {
  readonly name: string;
  readonly key: string;
  readonly init: Init | undefined;
}

function traceStep(options: StepOptions) {
  const graph = new Graph(checkPrecision(options.precision));
  const status = statusBlock(graph);
  const params = options.params.map(({ name, shape }, index) => ({
    name,
    value: graph.stored(parameterKey(name), { dtype: 'f32', shape }),
    index,
    age: options.ages?.get(name) ?? FROM_THE_START,
  }));
  const states: StateSpec[] = [];
  const scalars = new Scalars();
  let reported: Value | undefined;

  const { trace, forward, mass, afterwards } = passes(graph, params, options);
  // Of passes whose gradients are to be checked.
  let losses: Value[] = [];
  const gradient = (): Pass => {
    const pass = trace();
    reported ??= pass.loss;
    losses.push(pass.loss);
    return pass;
  };

  const context: OptimizerTrace = {
    graph,
    params,
    status,
    gradient,
    forward,
    state: (name, type, init) => {
      const key = `${options.place ?? 'state/'}${name}`;
      states.push({ name: stateKey(name), key, init });
      return graph.stored(key, type);
    },
    checkFinite: (grads, limits) => {
      checkFinite(status, { grads, limits, losses }, options.onNonFinite);
      losses = [];
    },
    report: scalars.report,
  };
  options.optimizer.trace(context);
  for (const update of afterwards) update(status);
  const traced = [...graph.nodes];
  if (options.onNonFinite === 'skip') scalars.report('skipped', skipped(status));
  const weight = typeof mass === 'number' ? mass : undefined;
  const own = [reported, mass].filter((x) => typeof x === 'object');
  const compiled = compile(graph, { reports: [...own, ...scalars.values], status });
  return { compiled, states, scalars, traced, weight };
}

/** [] 1 where the status block says that this step is not taken, else 0. */
function skipped(status: Value): Value {
  const { graph } = status;
  const flag = graph.stored('skipped', { dtype: 'f32', shape: [] });
  assign([flag], [fill(graph, [], 1)]);
  keep(status, [flag], [fill(graph, [], 0)]);
  return flag;
}
