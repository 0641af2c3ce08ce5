import type { Graph, Value } from '../graph/graph.ts';
import { type Age, FROM_THE_START } from '../graph/moment.ts';
import type { Shape } from '../graph/types.ts';
import type { Init } from '../nn/init.ts';
import { checkFinite, type NonFinitePolicy, statusBlock } from '../ops/status.ts';
import type { Forward, Parameter, Pass, Traceable } from './context.ts';
import { Scalars } from './scalars.ts';

export const stateKey = (name: string): string => `state/${name}`;

/** Where the gradients of a step come from: passes over a model, or the caller's arrays. */
export interface GradientSource {
  gradient(): Pass;
  forward(): Forward;
}

export interface StepParts<S extends GradientSource> {
  readonly params: readonly { readonly name: string; readonly shape: Shape; readonly age?: Age }[];
  /** The buffer of a parameter. */
  readonly buffer: (name: string, shape: Shape) => Value;
  readonly source: (params: readonly Parameter[]) => S;
  readonly onNonFinite: NonFinitePolicy;
  /** What keys of state begin with in the store. Default `state/`. */
  readonly place?: string;
}

/** A tensor of a method's state. */
export interface StateSpec {
  readonly name: string;
  readonly key: string;
  /** Fills what is zeros otherwise. */
  readonly init: Init | undefined;
}

export interface TracedStep<S extends GradientSource> {
  readonly status: Value;
  readonly states: readonly StateSpec[];
  readonly scalars: Scalars;
  /** Of the first pass; none where the caller computes it. */
  readonly loss: Value | undefined;
  readonly source: S;
}

/** Traces a method over parameters in whichever buffers, by gradients from whichever source. */
export function traceStep<S extends GradientSource>(
  method: Traceable,
  graph: Graph,
  { params, buffer, source: sourceOf, onNonFinite, place = stateKey('') }: StepParts<S>,
): TracedStep<S> {
  const status = statusBlock(graph);
  const parameters = params.map(({ name, shape, age = FROM_THE_START }, index) => {
    return { name, value: buffer(name, shape), index, age };
  });
  const states: StateSpec[] = [];
  const scalars = new Scalars();
  const source = sourceOf(parameters);
  let first: Value | undefined;
  // Of passes whose gradients are to be checked.
  let losses: Value[] = [];
  method.trace({
    graph,
    params: parameters,
    status,
    gradient: () => {
      const pass = source.gradient();
      first ??= pass.loss;
      if (pass.loss !== undefined) losses.push(pass.loss);
      return pass;
    },
    forward: () => source.forward(),
    state: (name, type, init) => {
      const key = place + name;
      states.push({ name: stateKey(name), key, init });
      return graph.stored(key, type);
    },
    checkFinite: (grads, limits) => {
      checkFinite(status, { grads, limits, losses }, onNonFinite);
      losses = [];
    },
    report: scalars.report,
  });
  return { status, states, scalars, loss: first, source };
}
