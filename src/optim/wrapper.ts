import type { z } from 'zod';
import { checkObject, show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { checkOptions, namesOf } from '../options.ts';
import type { Params } from '../step/arrays.ts';
import { type BindOptions, BoundOptimizer, type Optimizer } from '../step/bound.ts';
import type { OptimizerTrace } from '../step/context.ts';
import { isOptimizer, shownBy } from './optimizer.ts';
import type { Options, Part } from './variants.ts';

/** A method over any base: `f(base, options)` for `fit`, `f(params, base, options)` bound to the caller's arrays. */
export interface Wrapper<O> extends Part {
  <B extends BoundOptimizer>(base: Optimizer<B>, options?: O): Optimizer<B>;
  <B extends BoundOptimizer>(params: Params, base: Optimizer<B>, options?: O & BindOptions): B;
}

/**
 * Makes a wrapper from its options' schema, which fills in defaults, and its trace, which traces the base's. Wrappers
 * that only change a gradient go `inside` those that make their own: `clip(sam(base))` becomes `sam(clip(base))`.
 */
export function defineWrapper<S extends z.ZodType<object>>(
  name: string,
  schema: S,
  trace: (context: OptimizerTrace, base: Optimizer, options: z.output<S>) => void,
  { inside = false } = {},
): Wrapper<z.input<S>> {
  const over = (base: unknown, given: unknown): Optimizer => {
    if (!isOptimizer(base)) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `${name} expects a base optimizer, got ${show(base)}. Help: ${name}(lion({ lr }), options) or ${name}(params, lion({ lr }), options).`,
      );
    }
    const options = checkOptions(name, schema, given ?? {});
    if (inside && base.rebase !== undefined) return base.rebase((inner) => over(inner, given));
    return shownBy({
      name,
      options: { ...options, base: { name: base.name, ...base.options } },
      Bound: base.Bound,
      trace: (context) => trace(context, base, options),
      rebase: inside ? undefined : (wrap) => over(wrap(base), given),
    });
  };
  const wrapper = (first: Optimizer | Params, second?: unknown, third: object = {}) => {
    if (isOptimizer(first)) return over(first, second);
    checkObject(`The options of ${name}`, third);
    const { device, threads, seed, onNonFinite, ...options } = third as BindOptions;
    const made = over(second, options);
    const bind = { device, threads, seed, onNonFinite };
    return new (made.Bound ?? BoundOptimizer)(made, first, bind);
  };
  const part: Part = {
    optionNames: namesOf(schema, []),
    resolve: (options) => checkOptions(name, schema, options) as Options,
  };
  return Object.assign(wrapper, part) as Wrapper<z.input<S>>;
}
