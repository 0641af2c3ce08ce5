import type { RunOptions, RunResult, Store } from '../backend/backend.ts';
import { FlatminError } from '../errors.ts';
import { compile } from '../graph/compile.ts';
import { gradients } from '../graph/gradients.ts';
import { Graph, type Moment, type Value } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import { type Layer, type ParameterSpec, parameterKey, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import type { Numbers } from '../ops/define.ts';
import { checkFinite, type NonFinitePolicy, statusBlock } from '../ops/status.ts';
import type { Optimizer, OptimizerTrace, Pass } from '../optim/optimizer.ts';
import { stopError } from './stop.ts';

export const stateKey = (name: string): string => `state/${name}`;

export interface StepOptions {
  readonly model: Layer;
  readonly params: readonly ParameterSpec[];
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly onNonFinite: NonFinitePolicy;
  /** Traces the inputs and targets of a batch. */
  readonly batch: (graph: Graph) => { inputs: Value; targets: Value };
}

/** One compiled optimizer step: batch, forward, backward, update. Reports the loss of every step. */
export class OptimizerStep {
  readonly program: Program;
  /** Store keys of the optimizer's state. */
  readonly stateKeys: readonly string[];
  readonly #store: Store;
  readonly #names: readonly string[];

  constructor(store: Store, options: StepOptions) {
    const { compiled, states } = traceStep(options);
    const fresh = states.filter(({ key }) => !store.has(key));
    this.program = new Program(compiled, store);
    for (const { key, init } of fresh) {
      if (init === undefined) continue;
      const data = store.read(key);
      init(data);
      store.write(key, data);
    }
    this.#store = store;
    this.#names = options.params.map((p) => p.name);
    this.stateKeys = states.map(({ key }) => key);
  }

  /** Losses of one step for each moment; `FLATMIN_NUMERICS` when the status block stopped the run. */
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
}

interface StateSpec {
  readonly key: string;
  readonly init: ((data: Numbers) => void) | undefined;
}

function traceStep(options: StepOptions) {
  const graph = new Graph();
  const status = statusBlock(graph);
  const { inputs, targets } = options.batch(graph);
  const params = options.params.map(({ name, shape }, index) => ({
    name,
    value: graph.stored(parameterKey(name), { dtype: 'f32', shape }),
    index,
  }));
  const states: StateSpec[] = [];
  let reported: Value | undefined;

  const gradient = (): Pass => {
    const begin = graph.nodes.length;
    const output = options.model(inputs, new Scope(graph, true));
    const loss = options.loss.trace(output, targets);
    reported ??= loss;
    const taps = graph.nodes.slice(begin).flatMap((node) => node.op.tap?.(node) ?? []);
    const values = params.map((p) => p.value);
    const tapped = taps.map((tap) => tap.preActivation);
    const all = gradients(loss, [...values, ...tapped]);
    const withGradient = (list: readonly (Value | undefined)[]) =>
      taps.flatMap((tap, i) => {
        const gradient = list[i];
        return gradient === undefined ? [] : [{ tap, gradient }];
      });
    return {
      grads: values.map((_, i) => {
        const gradient = all[i];
        if (gradient !== undefined) return gradient;
        throw new FlatminError(
          'FLATMIN_ARGUMENT',
          `The loss does not depend on parameter "${params[i].name}"`,
        );
      }),
      tapGradients: (fisher) =>
        withGradient(
          fisher === 'empirical'
            ? all.slice(values.length)
            : gradients(options.loss.trace(output, options.loss.sample(output)), tapped),
        ),
    };
  };

  const context: OptimizerTrace = {
    graph,
    params,
    status,
    gradient,
    state: (name, type, init) => {
      states.push({ key: stateKey(name), init });
      return graph.stored(stateKey(name), type);
    },
    checkFinite: (grads) => checkFinite(status, grads, options.onNonFinite),
  };
  options.optimizer.trace(context);
  const compiled = compile(graph, { reports: reported === undefined ? [] : [reported], status });
  return { compiled, states };
}
