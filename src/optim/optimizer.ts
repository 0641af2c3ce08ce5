import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import type { Graph, Tap, Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import type { Age, Slot } from '../graph/moment.ts';
import type { Shape, TensorType } from '../graph/types.ts';
import { add } from '../ops/binary.ts';
import { affine } from '../ops/elementwise.ts';
import { type NonFinitePolicy, ROOM } from '../ops/status.ts';
import { sign } from '../ops/unary.ts';
import { byAge } from './age.ts';
import type { Params } from './arrays.ts';
import { type BindOptions, BoundOptimizer } from './bound.ts';
import { checkOptions, namesOf, nonNegative } from './options.ts';
import type { Report } from './scalars.ts';
import { type Rate, rateAt } from './schedule.ts';
import { type Entry, type Options, type Part, variantsOf } from './variants.ts';

/** A tensor being trained. */
export interface Parameter {
  readonly name: string;
  readonly value: Value;
  /** Its place among all trained tensors, by which the status block names it. */
  readonly index: number;
  /** Where it joined a training that had begun. */
  readonly age?: Age;
}

/** A tap with gradients of mean losses by its pre-activation rows: their second moments add up. */
export interface TapGradients {
  readonly tap: Tap;
  readonly gradients: readonly Value[];
  /** Of its rows in the mean, where they are not all equal: 0 for those that do not count. */
  readonly weights?: Value;
}

/**
 * Labels of the Fisher: drawn from the model's own output, those of the data, or, without drawing, the expectation
 * over all that the output stands for.
 */
export type Fisher = 'true' | 'empirical' | 'exact';

/** The model at the parameters' present values. */
export interface Forward {
  readonly loss: Value;
  /** Of each micro-batch. */
  readonly outputs: readonly Value[];
}

/** A gradient at the parameters' present values. */
export interface Pass {
  /** One for each parameter, in order. */
  readonly grads: readonly Value[];
  /** The scalar it is the gradient of; none where the caller computes it. */
  readonly loss?: Value;
  /**
   * What K-FAC reads of the layers that it chooses of those that own weights. `true` traces an extra backward pass,
   * `exact` one for each output, and where rows interact one for each output of each row.
   */
  tapGradients(
    fisher: Fisher,
    choose: (taps: readonly Tap[]) => readonly Tap[],
  ): readonly TapGradients[];
  /** δᵀFδ, F the Fisher here, from the change of the outputs along δ; none where the caller computes gradients. */
  curvature?(after: Forward): Value;
  /**
   * aᵀFb for every pair of directions, a not after b, by the derivative of the outputs along each: tangents of `params`,
   * which must stand where they stood in this pass. None where the caller computes gradients.
   */
  fisherProducts?(
    params: readonly Value[],
    directions: readonly (readonly Value[])[],
  ): readonly Value[];
}

/** What an optimizer is traced with. */
export interface OptimizerTrace {
  readonly graph: Graph;
  readonly params: readonly Parameter[];
  /** The status block, first input of every update. */
  readonly status: Value;
  /** Traces a forward and a backward pass; each call is another pass over the same batch and random numbers. */
  gradient(): Pass;
  /** Traces a forward pass of the same batch and random numbers; `FLATMIN_ARGUMENT` on arrays. */
  forward(): Forward;
  /** A buffer that lasts from step to step and is part of the checkpoint; zeros unless `init` fills it. */
  state(name: string, type: TensorType, init?: (data: Numbers) => void): Value;
  /**
   * Applies the `onNonFinite` policy to gradients, and to the losses they are of: NaN, infinite, or larger than `limits`,
   * one for each.
   */
  checkFinite(grads: readonly Value[], limits?: readonly number[]): void;
  /** Tells users a scalar, one of a tensor where it is named, after each step that computes it. */
  report: Report;
}

/** A method with its hyperparameters, traced into the step once. */
export interface Optimizer<B extends BoundOptimizer = BoundOptimizer> {
  readonly name: string;
  /** Hyperparameters with all defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  trace(context: OptimizerTrace): void;
  /** What it is when bound to arrays, where that is more than a `BoundOptimizer`. */
  readonly Bound?: BoundConstructor<B>;
  /** The largest element of a tensor's gradient whose update stays within float32. Default `ROOM`. */
  readonly largest?: (shape: Shape) => number;
  /** Of a method that makes the gradients that its base steps with: the same method over `wrap(base)`. */
  readonly rebase?: (wrap: (base: Optimizer) => Optimizer) => Optimizer;
}

type BoundConstructor<B> = new (optimizer: Optimizer, params: Params, options: BindOptions) => B;

export const isOptimizer = (value: unknown): value is Optimizer =>
  typeof (value as Optimizer | undefined)?.trace === 'function';

export type { NonFinitePolicy };

/** What every method takes beside its own options. */
export interface Regularisation {
  /** λ₁ of L1 regularisation: g ← g + λ₁ sign θ, a term λ₁‖θ‖₁ of the loss. Default 0. */
  l1?: number;
}

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
    return {
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
    };
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

/** A slot that follows a learning rate. */
export const rateSlot = (graph: Graph, rate: Rate): Slot =>
  graph.slot('lr', (moment) => rateAt(rate, moment));
