import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { Slot } from '../graph/moment.ts';
import type { Shape } from '../graph/types.ts';
import { add } from '../ops/binary.ts';
import { affine } from '../ops/elementwise.ts';
import { ROOM } from '../ops/status.ts';
import { sign } from '../ops/unary.ts';
import { checkOptions, namesOf } from '../options.ts';
import { inLine, shown } from '../shown.ts';
import { byAge } from '../step/age.ts';
import type { Params } from '../step/arrays.ts';
import type { BoundConstructor, Optimizer } from '../step/bound.ts';
import { type BindOptions, BoundOptimizer } from '../step/bound.ts';
import type { OptimizerTrace } from '../step/context.ts';
import { type Rate, rateAt } from '../step/rate.ts';
import { nonNegative } from './options.ts';
import { type Entry, type Options, type Part, variantsOf } from './variants.ts';

export const isOptimizer = (value: unknown): value is Optimizer =>
  typeof (value as Optimizer | undefined)?.trace === 'function';

/** The option that every method has beside its own: L1 regularisation. */
export interface Regularisation {
  /** λ₁ of L1 regularisation: g ← g + λ₁ sign θ, a term λ₁‖θ‖₁ of the loss. Default 0. */
  l1?: number;
}

/** An optimizer as `console.log` shows it: its name and its options, defaults filled in. */
export const shownBy = <B extends BoundOptimizer>(optimizer: Optimizer<B>): Optimizer<B> =>
  shown(optimizer, () => `${optimizer.name} ${inLine(optimizer.options)}`);

/**
 * A method: `lion({ lr })` is an optimizer for `fit`, `lion(params, { lr })` one bound to the caller's arrays.
 */
export interface Method<O, B extends BoundOptimizer = BoundOptimizer, N extends string = string>
  extends Entry<N>,
    Part {
  (options: O & Regularisation): Optimizer<B>;
  (params: Params, options: O & Regularisation & BindOptions): B;
}

/** What there is to know of a method beside its trace. */
interface Traits<B, I, O, N extends string> extends Omit<Entry, 'variants'> {
  /** Names on the command line, each with a usual rate and what makes it that variant. */
  readonly variants: Readonly<Record<N, I>>;
  /** What it is when bound to arrays, where that is more than a `BoundOptimizer`. */
  readonly Bound?: BoundConstructor<B>;
  /** It counts steps: tensors that join a training are traced apart, `byAge`. */
  readonly counts?: true;
  /** The largest element of a tensor's gradient whose update leaves all state finite. Default `ROOM`. */
  readonly largest?: (shape: Shape, options: O) => number;
}

/** Makes a method from its options' schema, which fills in defaults, and its trace; all of them take `l1`. */
export function defineOptimizer<
  S extends z.ZodType<object>,
  N extends string,
  B extends BoundOptimizer = BoundOptimizer,
>(
  name: string,
  schema: S,
  trace: (context: OptimizerTrace, options: z.output<S>) => void,
  {
    Bound,
    counts,
    largest = () => ROOM,
    variants,
    ...entry
  }: Traits<B, z.input<S>, z.output<S>, N>,
): Method<z.input<S>, B, N> {
  const make = (given: unknown): Optimizer<B> => {
    const { l1 = 0, ...own } = Object(given) as Regularisation;
    checkOptions(name, regularisation, { l1 });
    const options = checkOptions(name, schema, Object(given) === given ? own : given);
    return shownBy({
      name,
      options: { ...options, ...(l1 !== 0 && { l1 }) },
      largest: (shape) => largest(shape, options),
      trace: (context) => {
        const t: OptimizerTrace = {
          ...(l1 === 0 ? context : regularised(context, l1)),
          checkFinite: (grads) => {
            const limits = context.params.map(({ value }) => largest(value.shape, options));
            context.checkFinite(grads, limits);
          },
        };
        if (counts) byAge(t, (own) => trace(own, options));
        else trace(t, options);
      },
      Bound,
    });
  };
  function method(options: z.input<S>): Optimizer<B>;
  function method(params: Params, options: z.input<S> & BindOptions): B;
  function method(first: z.input<S> | Params, second?: z.input<S> & BindOptions) {
    if (second === undefined) return make(first);
    const { device, threads, seed, onNonFinite, ...options } = (second ?? {}) as BindOptions;
    const bind = { device, threads, seed, onNonFinite };
    return new (Bound ?? BoundOptimizer)(make(options), first as Params, bind);
  }
  const part: Part = {
    optionNames: [...namesOf(schema, []), 'l1'],
    resolve: (options) => make(options).options,
  };
  const made = variantsOf(variants as Readonly<Record<N, Options>>, [part], make);
  return Object.assign(method, part, entry, { variants: made }) as Method<z.input<S>, B, N>;
}

const regularisation = z.object({ l1: nonNegative });

/** Gradients of the loss with its term λ₁‖θ‖₁. */
const regularised = (context: OptimizerTrace, l1: number): OptimizerTrace => ({
  ...context,
  gradient: () => {
    const pass = context.gradient();
    const signs = context.params.map(({ value }) => affine(sign(value), l1));
    return { ...pass, grads: pass.grads.map((g, i) => add(g, signs[i])) };
  },
  forward: () => {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      'adaptDamping does not know the loss with its l1 term. Help: leave one of them out.',
    );
  },
});

/** A slot that follows a learning rate, or the one that the moment has in its place. */
export const rateSlot = (graph: Graph, rate: Rate): Slot =>
  graph.slot('lr', (moment) => moment.lr ?? rateAt(rate, moment));
