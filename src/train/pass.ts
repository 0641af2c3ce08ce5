import { FlatminError } from '../errors.ts';
import { gradients } from '../graph/gradients.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { type Layer, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { add } from '../ops/binary.ts';
import { affine } from '../ops/unary.ts';
import type { Parameter, Pass } from '../optim/optimizer.ts';

export interface PassOptions {
  readonly model: Layer;
  readonly loss: Loss;
  /** The micro-batches of a step: one, or several whose gradients are averaged by rows. */
  readonly parts: readonly Part[];
}

export interface Part {
  readonly rows: number;
  readonly trace: (graph: Graph) => Batch;
}

interface Batch {
  readonly inputs: Value;
  readonly targets: Value;
}

/** What traces forward and backward over a step's batch; every pass draws the same random numbers. */
export function passes(
  graph: Graph,
  params: readonly Parameter[],
  { model, loss, parts }: PassOptions,
): () => Required<Pass> {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  // A whole batch serves every pass; micro-batches are gathered anew, so that only one is in memory.
  const whole = parts.length === 1 ? parts[0].trace(graph) : undefined;
  return () =>
    graph.inPrecision(() => {
      let stream = 0;
      const one = (part: Part) => {
        const scope = new Scope(graph, true, stream);
        const pass = tracePass(whole ?? part.trace(graph), scope, params, { model, loss });
        stream = scope.nextStream;
        return part.rows === rows ? pass : weighted(pass, part.rows / rows);
      };
      const [first, ...rest] = parts;
      return rest.reduce((sum, part) => sumOf(sum, one(part)), one(first));
    });
}

function tracePass(
  { inputs, targets }: Batch,
  scope: Scope,
  params: readonly Parameter[],
  { model, loss: objective }: Omit<PassOptions, 'parts'>,
): Required<Pass> {
  const { graph } = inputs;
  const begin = graph.nodes.length;
  const output = model(inputs, scope);
  const loss = objective.trace(output, targets);
  const taps = graph.nodes.slice(begin).flatMap((node) => node.op.tap?.(node) ?? []);
  const tapped = taps.map((tap) => tap.preActivation);
  const all = gradients(loss, [...params.map(({ value }) => value), ...tapped]);
  const withGradient = (list: readonly (Value | undefined)[]) =>
    taps.flatMap((tap, i) => {
      const gradient = list[i];
      return gradient === undefined ? [] : [{ tap, gradient }];
    });
  return {
    loss,
    grads: params.map(({ name }, i) => {
      const gradient = all[i];
      if (gradient !== undefined) return gradient;
      throw new FlatminError('FLATMIN_ARGUMENT', `The loss does not depend on parameter "${name}"`);
    }),
    tapGradients: (fisher) =>
      withGradient(
        fisher === 'empirical'
          ? all.slice(params.length)
          : graph.inPrecision(() =>
              gradients(objective.trace(output, objective.sample(output)), tapped),
            ),
      ),
  };
}

const weighted = (pass: Required<Pass>, weight: number): Required<Pass> => ({
  ...pass,
  loss: affine(pass.loss, weight),
  grads: pass.grads.map((g) => affine(g, weight)),
});

/** Taps are those of the first. */
const sumOf = (a: Required<Pass>, b: Required<Pass>): Required<Pass> => ({
  ...a,
  loss: add(a.loss, b.loss),
  grads: a.grads.map((g, i) => add(g, b.grads[i])),
});
