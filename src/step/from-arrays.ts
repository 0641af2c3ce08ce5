import { FlatminError } from '../errors.ts';
import type { Graph, Tap } from '../graph/graph.ts';
import type { Shape } from '../graph/types.ts';
import type { Parameter, Traceable } from './context.ts';
import type { Observation } from './observation.ts';
import type { GradientSource } from './trace.ts';

export const inputsKey = (layer: string): string => `observed/${layer}/inputs`;
export const outputGradsKey = (layer: string): string => `observed/${layer}/outputGrads`;
export const paramKey = (name: string): string => `bound/${name}`;
export const gradKey = (name: string): string => `grad/${name}`;

const noOutputs = () =>
  new FlatminError(
    'FLATMIN_ARGUMENT',
    "fisher 'exact' needs a model's outputs, which are not there on arrays. Help: observe() gradients for drawn labels, or the data's.",
  );

/** Gradients that the caller brings with each step: phase 0 is what comes before the first. */
export function fromArrays(
  method: Traceable,
  graph: Graph,
  params: readonly Parameter[],
  observations: ReadonlyMap<string, Observation>,
): GradientSource {
  const f32 = (key: string, shape: Shape) => graph.bound(key, { dtype: 'f32', shape });
  const values = new Map(params.map(({ name, value }) => [name, value]));
  return {
    gradient: () => {
      graph.nextPhase();
      return {
        grads: params.map(({ name, value }) => f32(gradKey(name), value.shape)),
        tapGradients: (fisher, choose, show) => {
          if (fisher === 'exact') throw noOutputs();
          const taps = [...observations].flatMap(
            ([layer, { kind, inputs, outputGrads, attrs }]) => {
              const weight = values.get(`${layer}.weight`);
              if (weight === undefined) return [];
              const gradient = f32(outputGradsKey(layer), outputGrads.shape);
              const input = f32(inputsKey(layer), inputs.shape);
              const bias = values.get(`${layer}.bias`);
              const tap: Tap = { kind, input, preActivation: gradient, weight, bias, attrs };
              return [tap];
            },
          );
          const shown = choose(taps).map((tap) => {
            return { tap, gradients: [tap.preActivation], samples: tap.input.shape[0] };
          });
          show(shown, true);
        },
      };
    },
    forward: () => {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `${method.name} needs a model to see the loss of its step, and is bound to arrays`,
      );
    },
  };
}
