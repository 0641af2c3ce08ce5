import type { Grads64, Oracle, Tensors64 } from './oracle.ts';

/** The base steps from θ with the gradient at θ + ρ g/‖g‖, ‖g‖ over all tensors. */
export function samStep(
  base: Oracle,
  rho: number,
  gradient: (params: Tensors64) => Grads64,
): (params: Tensors64, lr: number, t: number) => void {
  return (params, lr, t) => {
    const g = gradient(params);
    const norm = Math.hypot(...Object.values(g).flatMap((x) => [...x]));
    const climbed = Object.fromEntries(
      Object.entries(params).map(([name, { data, shape }]) => [
        name,
        { shape, data: data.map((v, i) => v + (norm === 0 ? 0 : (rho * g[name][i]) / norm)) },
      ]),
    );
    base(params, gradient(climbed), lr, t);
  };
}
