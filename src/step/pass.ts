import { gradients, pushforward } from '../autodiff/gradients.ts';
import { FlatminError } from '../errors.ts';
import type { Graph, Tap, Value } from '../graph/graph.ts';
import { type Afterwards, type Layer, Scope } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { type Judged, massOf, shareOf } from '../nn/mass.ts';
import { add, mul, sub } from '../ops/binary.ts';
import { affine } from '../ops/elementwise.ts';
import type { Fisher, Forward, Parameter, Pass, TapGradients } from './context.ts';
import { exactGradients } from './exact-fisher.ts';
import type { GradientSource } from './trace.ts';

export interface PassOptions {
  readonly model: Layer;
  readonly loss: Loss;
  /** The micro-batches of a step: one, or several whose gradients are averaged by what their rows weigh. */
  readonly parts: readonly Part[];
  /** Names of tensors that stay as they are. Parameters among them are none of those that a step is traced with. */
  readonly frozen?: ReadonlySet<string>;
}

export interface Part {
  readonly rows: number;
  readonly trace: (graph: Graph) => Batch;
}

interface Batch extends Judged {
  readonly inputs: Value;
}

/** A micro-batch with each row's share of it, and its own of the step's batch. */
interface Weighed extends Batch {
  readonly rows: number;
  readonly shares: Value | undefined;
  readonly weight: Value | number;
}

/** A pass over a model. */
type Traced = Pass & Required<Omit<Pass, 'mass'>>;

/** What traces forward and backward over a step's batch; every pass draws the same random numbers. */
export interface Passes extends GradientSource {
  gradient(): Traced;
  /** What the rows of the step's batch weigh together; a number where they weigh the same. */
  readonly mass: Value | number;
  /** What the layers want traced after the update: those of the first pass. */
  readonly afterwards: readonly Afterwards[];
}

export function passes(
  graph: Graph,
  params: readonly Parameter[],
  { model, loss, parts, frozen }: PassOptions,
): Passes {
  // A whole batch serves every pass; micro-batches are gathered anew, so that only one is in memory.
  const whole = parts.length === 1 ? parts[0].trace(graph) : undefined;
  // Of targets and weights alone, so that it is known before the first pass.
  const masses = parts.map((part) => massOf(loss, whole ?? part.trace(graph), part.rows));
  const mass = masses.map(({ sum }) => sum).reduce(plus);
  // Each part is added before the next is traced.
  const total = <T>(one: (batch: Weighed, scope: Scope) => T, add: (a: T, b: T) => T): T => {
    let stream = 0;
    const traced = (part: Part, i: number) => {
      const scope = new Scope(graph, true, stream);
      const { sum, shares } = masses[i];
      const weight = partOf(sum, mass);
      const batch = { ...(whole ?? part.trace(graph)), rows: part.rows, shares, weight };
      const result = one(batch, scope);
      stream = scope.nextStream;
      return result;
    };
    const [begin, ...rest] = parts;
    return rest.reduce((sum, part, i) => add(sum, traced(part, i + 1)), traced(begin, 0));
  };
  const examples = parts.reduce((sum, part) => sum + part.rows, 0);
  let first = true;
  const afterwards: Afterwards[] = [];
  const trace = () => {
    let pass: Traced = total((batch, scope) => {
      const part = tracePass(batch, scope, params, { model, loss });
      if (first) afterwards.push(...scope.afterwards(frozen));
      return whole === undefined ? weighted(part, batch.weight) : part;
    }, sumOf);
    first = false;
    if (typeof mass !== 'number') pass = { ...pass, mass };
    if (whole !== undefined) return pass;
    // Anew for each micro-batch, whose values are not kept.
    const fisherProducts: Products = (wrt, directions) =>
      graph.inPrecision(() =>
        total(
          ({ inputs, shares, weight }, scope) => {
            const outcome = { output: model(inputs, scope), shares };
            return productsOf(outcome, loss, wrt, directions).map((x) => times(x, weight));
          },
          (a, b) => a.map((x, i) => add(x, b[i])),
        ),
      );
    const tapGradients: Pass['tapGradients'] = (fisher, choose, show) => {
      let begins = true;
      total<void>((batch, scope) => {
        const part = graph.inPrecision(() => tracePass(batch, scope, params, { model, loss }));
        part.tapGradients(fisher, choose, (tapped) => {
          show(
            tapped.map((seen) => partOfBatch(seen, batch, examples)),
            begins,
          );
        });
        begins = false;
      }, noSum);
    };
    return { ...pass, fisherProducts, tapGradients };
  };
  const forward = () =>
    total<Forward>(
      ({ inputs, targets, shares, weight }, scope) => {
        const output = model(inputs, scope);
        const value = loss.trace(output, targets, shares);
        return { loss: times(value, weight), outputs: [output] };
      },
      (a, b) => ({ loss: add(a.loss, b.loss), outputs: [...a.outputs, ...b.outputs] }),
    );
  return {
    gradient: () => graph.inPrecision(trace),
    forward: () => graph.inPrecision(forward),
    mass,
    afterwards,
  };
}

function tracePass(
  { inputs, targets, shares }: Weighed,
  scope: Scope,
  params: readonly Parameter[],
  { model, loss: objective }: Pick<PassOptions, 'model' | 'loss'>,
): Traced {
  const { graph } = inputs;
  const begin = graph.nodes.length;
  const output = model(inputs, scope);
  const loss = objective.trace(output, targets, shares);
  const taps = graph.nodes.slice(begin).flatMap((node) => node.op.tap?.(node) ?? []);
  const tapped = taps.map((tap) => tap.preActivation);
  const all = gradients(loss, [...params.map(({ value }) => value), ...tapped]);
  const backward: Record<Fisher, (wrt: readonly Value[]) => readonly (readonly Value[])[]> = {
    empirical: (wrt) => wrt.map((x) => present(all[params.length + tapped.indexOf(x)])),
    true: (wrt) => gradients(likelihood(objective, { output, shares }), wrt).map(present),
    exact: (wrt) => exactGradients(objective, { output, targets, shares }, wrt),
  };
  return {
    loss,
    grads: params.map(({ name }, i) => {
      const gradient = all[i];
      if (gradient !== undefined) return gradient;
      throw new FlatminError('FLATMIN_ARGUMENT', `The loss does not depend on parameter "${name}"`);
    }),
    curvature: ({ outputs: [after] }) => {
      const change = sub(after, output);
      return fisherProduct(objective, { output, shares }, change, change);
    },
    fisherProducts: (...given) =>
      graph.inPrecision(() => productsOf({ output, shares }, objective, ...given)),
    tapGradients: (fisher, choose, show) => {
      const chosen = choose(taps);
      const found = graph.inPrecision(() =>
        backward[fisher](chosen.map((tap) => tap.preActivation)),
      );
      const tapped = chosen.flatMap((tap, i) => {
        if (found[i].length === 0) return [];
        const samples = rowsOf(tap);
        const counted = shares !== undefined && samples === shares.size;
        return [{ tap, gradients: found[i], samples, ...(counted && { weights: shares }) }];
      });
      show(tapped, true);
    },
  };
}

/** −log-likelihood of targets drawn by the output. */
function likelihood(objective: Loss, { output, shares }: Outcome): Value {
  const sampled = objective.sample(output);
  return (
    objective.likelihood?.(output, sampled, shares) ?? objective.trace(output, sampled, shares)
  );
}

const present = (x: Value | undefined): readonly Value[] => (x === undefined ? [] : [x]);

/** Samples of a layer: rows, or tokens. */
const rowsOf = ({ kind, input }: Tap): number =>
  kind === 'embedding' ? input.size : input.shape[0];

/** What a micro-batch shows, as rows of the whole batch of so many examples. */
const partOfBatch = (
  { tap, gradients, weights, samples }: TapGradients,
  { rows, weight }: Weighed,
  examples: number,
): TapGradients => ({
  tap,
  gradients: gradients.map((g) => times(g, weight)),
  samples: (samples / rows) * examples,
  ...(weights && { weights: times(weights, weight) }),
});

const noSum = () => undefined;

type Products = Required<Pass>['fisherProducts'];

/** What a loss sees: the model's output, and the shares of its rows where they are not all equal. */
interface Outcome {
  readonly output: Value;
  readonly shares: Value | undefined;
}

function productsOf(
  outcome: Outcome,
  objective: Loss,
  ...[params, directions]: Parameters<Products>
): readonly Value[] {
  const changes = directions.map((direction) => pushforward(outcome.output, params, direction));
  return changes.flatMap((a, i) =>
    changes.slice(i).map((b) => fisherProduct(objective, outcome, a, b)),
  );
}

function fisherProduct(objective: Loss, { output, shares }: Outcome, a: Value, b: Value): Value {
  if (objective.fisherProduct !== undefined) return objective.fisherProduct(output, a, b, shares);
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `The loss ${objective.name} has no fisherProduct, which the quadratic model needs`,
  );
}

const plus = (a: Value | number, b: Value | number): Value | number =>
  typeof a === 'number' || typeof b === 'number' ? Number(a) + Number(b) : add(a, b);

const partOf = (part: Value | number, whole: Value | number): Value | number =>
  typeof part === 'number' || typeof whole === 'number'
    ? Number(part) / Number(whole)
    : shareOf(part, whole);

const times = (x: Value, weight: Value | number): Value =>
  typeof weight === 'number' ? affine(x, weight) : mul(x, weight);

const weighted = (pass: Traced, weight: Value | number): Traced => ({
  ...pass,
  loss: times(pass.loss, weight),
  grads: pass.grads.map((g) => times(g, weight)),
  curvature: (after) => times(pass.curvature(after), weight),
});

/** `b` is one part more, whose output is the last. */
const sumOf = (a: Traced, b: Traced): Traced => ({
  ...a,
  loss: add(a.loss, b.loss),
  grads: a.grads.map((g, i) => add(g, b.grads[i])),
  curvature: ({ loss, outputs }) =>
    add(
      a.curvature({ loss, outputs: outputs.slice(0, -1) }),
      b.curvature({ loss, outputs: outputs.slice(-1) }),
    ),
});
