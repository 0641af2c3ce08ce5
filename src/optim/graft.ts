import type { Graph, Value } from '../graph/graph.ts';
import type { Attrs } from '../graph/types.ts';
import { adagradOp } from '../ops/adagrad.ts';
import { adamwOp } from '../ops/adamw.ts';
import { neg } from '../ops/elementwise.ts';
import { fill } from '../ops/fill.ts';
import type { OptimizerTrace } from '../step/context.ts';

/** Methods with a step of their own length; SGD's is the gradient. */
type Adaptive = 'adagrad' | 'rmsprop' | 'adam';

interface Common extends Attrs {
  readonly lrSlot: number;
  readonly weightDecay: number;
  readonly decoupled: number;
}

interface Rule {
  readonly states: readonly string[];
  trace(graph: Graph, inputs: readonly Value[], common: Common): void;
}

const squared = (decay: number, weight: number, eps: number): Rule => ({
  states: ['v'],
  trace: (graph, inputs, common) => {
    graph.add(adagradOp, inputs, { ...common, decay, weight, eps, epsInsideSqrt: 0 });
  },
});

const METHODS: Readonly<Record<Adaptive, Rule>> = {
  adagrad: squared(1, 1, 1e-10),
  rmsprop: squared(0.99, 1 - 0.99, 1e-8),
  adam: {
    states: ['m', 'v'],
    trace: (graph, inputs, common) => {
      const attrs = { beta1: 0.9, beta2: 0.999, eps: 1e-8, amsgrad: 0 };
      graph.add(adamwOp, inputs, { ...common, ...attrs, stepSlot: graph.count.index });
    },
  },
};

/** The step of another method, at its defaults. */
export interface GraftedMethod {
  /** θ ← θ − η(step + λθ). */
  update(lrSlot: number, weightDecay: number): void;
  /** The steps alone: their states go on as by `update`. */
  steps(): Value[];
}

/** A method on the parameters of `t` and these gradients; its states are `graft.…`. */
export function graftedMethod(
  t: OptimizerTrace,
  method: Adaptive,
  grads: readonly Value[],
): GraftedMethod {
  const { graph, status, params } = t;
  const { states, trace } = METHODS[method];
  const buffers = params.map(({ name, value }) =>
    states.map((state) => t.state(`graft.${state}/${name}`, value.type)),
  );
  const step = (targets: readonly Value[], lrSlot: number, weightDecay: number): void => {
    const inputs = targets.flatMap((p, i) => [p, grads[i], ...buffers[i]]);
    trace(graph, [status, ...inputs], { lrSlot, weightDecay, decoupled: 1 });
  };
  const values = params.map(({ value }) => value);
  return {
    update: (lrSlot, weightDecay) => step(values, lrSlot, weightDecay),
    steps: () => {
      // From θ = 0 with the rate 1 it arrives at the step, negated.
      const ends = values.map(({ shape }) => fill(graph, shape, 0));
      step(ends, graph.slot('graft.lr', () => 1).index, 0);
      return ends.map(neg);
    },
  };
}
