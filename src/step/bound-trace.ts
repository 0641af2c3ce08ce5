import { FlatminError } from '../errors.ts';
import { type Compiled, compile } from '../graph/compile.ts';
import type { Tap } from '../graph/graph.ts';
import { Graph } from '../graph/graph.ts';
import type { Age } from '../graph/moment.ts';
import type { Shape } from '../graph/types.ts';
import type { Init } from '../nn/init.ts';
import { checkFinite, type NonFinitePolicy, statusBlock } from '../ops/status.ts';
import type { Pass, Traceable } from './context.ts';
import type { Observation } from './observation.ts';
import { Scalars } from './scalars.ts';

export const inputsKey = (layer: string): string => `observed/${layer}/inputs`;
export const outputGradsKey = (layer: string): string => `observed/${layer}/outputGrads`;
export const paramKey = (name: string): string => `bound/${name}`;
export const gradKey = (name: string): string => `grad/${name}`;

/** A parameter as a program knows it. */
export interface Bound {
  readonly name: string;
  readonly shape: Shape;
  readonly age: Age;
}

export interface BoundTrace {
  readonly compiled: Compiled;
  readonly states: readonly { readonly key: string; readonly init?: Init }[];
  readonly scalars: Scalars;
}

const noOutputs = () =>
  new FlatminError(
    'FLATMIN_ARGUMENT',
    "fisher 'exact' needs a model's outputs, which are not there on arrays. Help: observe() gradients for drawn labels, or the data's.",
  );

/** The optimizer's program with bound arrays: phase 0 is what comes before the first gradient. */
export function traceBound(
  optimizer: Traceable,
  params: readonly Bound[],
  observations: ReadonlyMap<string, Observation>,
  policy: NonFinitePolicy,
): BoundTrace {
  const graph = new Graph();
  const status = statusBlock(graph);
  const states: { key: string; init?: Init }[] = [];
  const scalars = new Scalars();
  const f32 = (key: string, shape: Shape) => graph.bound(key, { dtype: 'f32', shape });
  const parameters = params.map(({ name, shape, age }, index) => {
    return { name, value: f32(paramKey(name), shape), index, age };
  });
  const values = new Map(parameters.map(({ name, value }) => [name, value]));
  const gradient = (): Pass => {
    graph.nextPhase();
    return {
      grads: params.map(({ name, shape }) => f32(gradKey(name), shape)),
      tapGradients: (fisher, choose) => {
        if (fisher === 'exact') throw noOutputs();
        const taps = [...observations].flatMap(([layer, { kind, inputs, outputGrads, attrs }]) => {
          const weight = values.get(`${layer}.weight`);
          if (weight === undefined) return [];
          const gradient = f32(outputGradsKey(layer), outputGrads.shape);
          const input = f32(inputsKey(layer), inputs.shape);
          const bias = values.get(`${layer}.bias`);
          const tap: Tap = { kind, input, preActivation: gradient, weight, bias, attrs };
          return [tap];
        });
        return choose(taps).map((tap) => ({ tap, gradients: [tap.preActivation] }));
      },
    };
  };
  optimizer.trace({
    graph,
    status,
    params: parameters,
    gradient,
    forward: () => {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `${optimizer.name} needs a model to see the loss of its step, and is bound to arrays`,
      );
    },
    state: (name, type, init) => {
      const key = `state/${name}`;
      states.push({ key, init });
      return graph.stored(key, type);
    },
    checkFinite: (grads, limits) => checkFinite(status, { grads, limits }, policy),
    report: scalars.report,
  });
  return { compiled: compile(graph, { reports: scalars.values, status }), states, scalars };
}
