import { z } from 'zod';
import { FlatminError } from '../errors.ts';
import { globalNorm, restore, samPerturb } from '../ops/sam.ts';
import type { Params } from './arrays.ts';
import { type BindOptions, BoundOptimizer } from './bound.ts';
import { isOptimizer, type Optimizer } from './optimizer.ts';
import { checkOptions, nonNegative, show } from './options.ts';

const schema = z.strictObject({
  /** Radius ρ of the neighbourhood. Default 0.05. */
  rho: nonNegative.default(0.05),
});

export type SamOptions = z.input<typeof schema>;

/**
 * Sharpness-aware minimisation (Foret et al. 2020) over any base: the base steps with the gradient at
 * θ + ρ g/‖g‖₂ (norm over all tensors; g itself where ‖g‖ = 0), from θ restored bit for bit.
 * Both gradients are of the same batch with the same dropout masks. Costs two gradients a step.
 *
 * `sam(base, { rho })` is an optimizer for `fit`; `sam(params, base, { rho })` is bound to the caller's arrays
 * and steps with a closure.
 */
export function sam(base: Optimizer, options?: SamOptions): Optimizer;
export function sam(
  params: Params,
  base: Optimizer,
  options?: SamOptions & BindOptions,
): BoundOptimizer;
export function sam(
  first: Optimizer | Params,
  second?: Optimizer | SamOptions,
  third: SamOptions & BindOptions = {},
): Optimizer | BoundOptimizer {
  if (isOptimizer(first)) return over(first, second as SamOptions);
  const { device, threads, seed, onNonFinite, ...options } = third;
  const bind = { device, threads, seed, onNonFinite };
  return new BoundOptimizer(over(second, options), first, bind);
}

function over(base: unknown, given: SamOptions = {}): Optimizer {
  if (!isOptimizer(base)) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `sam expects a base optimizer, got ${show(base)}. Help: sam(lion({ lr }), { rho }) or sam(params, lion({ lr }), { rho }).`,
    );
  }
  const { rho } = checkOptions('sam', schema, given);
  return {
    name: 'sam',
    options: { rho, base: { name: base.name, ...base.options } },
    trace: (t) => {
      const params = t.params.map(({ value }) => value);
      const { grads } = t.gradient();
      t.checkFinite(grads);
      const saved = samPerturb(params, grads, globalNorm(grads), rho);
      const second = t.gradient();
      restore(params, saved);
      base.trace({ ...t, gradient: () => second });
    },
  };
}
