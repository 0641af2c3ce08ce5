import type { RunResult, Store } from '../backend/backend.ts';
import { compile } from '../graph/compile.ts';
import { Graph, type Node, type Value } from '../graph/graph.ts';
import { checkPrecision, type Precision } from '../graph/precision.ts';
import { type Description, type ParameterSpec, parameterKey } from '../nn/layer.ts';
import { assign, keep } from '../ops/assign.ts';
import { fill } from '../ops/fill.ts';
import { type NonFinitePolicy, STATUS_KEY } from '../ops/status.ts';
import { CompiledStep } from './compiled-step.ts';
import type { Traceable } from './context.ts';
import type { Ages } from './held.ts';
import { type PassOptions, passes } from './pass.ts';
import type { StepScalars } from './scalars.ts';
import { byKey, type StateKeys } from './state-dict.ts';
import { traceStep } from './trace.ts';

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
export class OptimizerStep extends CompiledStep {
  /** The step's ops, without those that only tell whether it was skipped. */
  readonly traced: readonly Node[];
  /** What every step weighs; `undefined` where it is the second report. */
  readonly #weight: number | undefined;

  constructor(store: Store, options: StepOptions) {
    const { traced, weight, ...step } = traceOverModel(options);
    super(store, step);
    this.traced = traced;
    this.#weight = weight;
  }

  /** What the steps of a run that began with step `first` told, from its step number `from` (0 the first) on. */
  results({ steps, reports }: RunResult, first: number, from = 0): StepResult[] {
    const own = this.#weight === undefined ? 2 : 1;
    const width = this.scalars.values.length + own;
    return Array.from({ length: steps - from }, (_, i) => {
      const at = (from + i) * width;
      return {
        loss: reports[at],
        weight: this.#weight ?? reports[at + 1],
        ...this.scalars.read(reports, at + own, first + from + i),
      };
    });
  }
}

/**
 * Names with their keys in the store of all that the coming steps depend on: the model's tensors, the status block, `others`
 * that go by their keys, and the optimizer's state.
 */
export const stepKeys = (
  { params, buffers }: Pick<Description, 'params' | 'buffers'>,
  steps: Iterable<OptimizerStep>,
  others: readonly string[] = [],
): StateKeys => {
  const tensors = [...params, ...buffers].map(({ name }) => parameterKey(name));
  const states = [...steps].flatMap((step) => [...step.stateKeys]);
  return new Map([...byKey([...tensors, STATUS_KEY, ...others]), ...states]);
};

function traceOverModel({ ages, onNonFinite, ...options }: StepOptions) {
  const graph = new Graph(checkPrecision(options.precision));
  const { status, states, scalars, loss, source } = traceStep(options.optimizer, graph, {
    params: options.params.map(({ name, shape }) => ({ name, shape, age: ages?.get(name) })),
    buffer: (name, shape) => graph.stored(parameterKey(name), { dtype: 'f32', shape }),
    source: (params) => passes(graph, params, options),
    onNonFinite,
    place: options.place,
  });
  const { mass, afterwards } = source;
  for (const update of afterwards) update(status);
  const traced = [...graph.nodes];
  if (onNonFinite === 'skip') scalars.report('skipped', skipped(status));
  const weight = typeof mass === 'number' ? mass : undefined;
  const own = [loss, mass].filter((x) => typeof x === 'object');
  const compiled = compile(graph, { reports: [...own, ...scalars.values], status });
  const names = options.params.map(({ name }) => name);
  return { compiled, states, scalars, names, traced, weight };
}

/** [] 1 where the status block says that this step is not taken, else 0. */
function skipped(status: Value): Value {
  const { graph } = status;
  const flag = graph.stored('skipped', { dtype: 'f32', shape: [] });
  assign([flag], [fill(graph, [], 1)]);
  keep(status, [flag], [fill(graph, [], 0)]);
  return flag;
}
