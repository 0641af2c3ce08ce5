import type { z } from 'zod';
import { FlatminError } from '../errors.ts';
import type { Params } from './arrays.ts';
import { type BindOptions, BoundOptimizer } from './bound.ts';
import { isOptimizer, type Optimizer, type OptimizerTrace } from './optimizer.ts';
import { checkOptions, show } from './options.ts';

/** A method over any base: `f(base, options)` for `fit`, `f(params, base, options)` bound to the caller's arrays. */
export interface Wrapper<O> {
  (base: Optimizer, options?: O): Optimizer;
  (params: Params, base: Optimizer, options?: O & BindOptions): BoundOptimizer;
}

/** Makes a wrapper from its options' schema, which fills in defaults, and its trace, which traces the base's. */
export function defineWrapper<S extends z.ZodType<object>>(
  name: string,
  schema: S,
  trace: (context: OptimizerTrace, base: Optimizer, options: z.output<S>) => void,
): Wrapper<z.input<S>> {
  const over = (base: unknown, given: unknown): Optimizer => {
    if (!isOptimizer(base)) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `${name} expects a base optimizer, got ${show(base)}. Help: ${name}(lion({ lr }), options) or ${name}(params, lion({ lr }), options).`,
      );
    }
    const options = checkOptions(name, schema, given ?? {});
    return {
      name,
      options: { ...options, base: { name: base.name, ...base.options } },
      trace: (context) => trace(context, base, options),
    };
  };
  function wrapper(base: Optimizer, options?: z.input<S>): Optimizer;
  function wrapper(
    params: Params,
    base: Optimizer,
    options?: z.input<S> & BindOptions,
  ): BoundOptimizer;
  function wrapper(first: Optimizer | Params, second?: unknown, third: object = {}) {
    if (isOptimizer(first)) return over(first, second);
    const { device, threads, seed, onNonFinite, ...options } = third as BindOptions;
    return new BoundOptimizer(over(second, options), first, { device, threads, seed, onNonFinite });
  }
  return wrapper;
}
