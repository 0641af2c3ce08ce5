import type { Value } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import { defineOp, expectSameShape, expectType } from './define.ts';

/** Below it, as a part of uᵀCu · dᵀCd, a determinant is rounding of float32 curvatures. */
const SINGULAR = 1e-6;

const kfacModelOp = defineOp<{ weightDecay: number }>({
  name: 'kfacModel',
  infer: ([uFu, uFd, dFd, damping, ...tensors]) => {
    for (const scalar of [uFu, uFd, dFd, damping]) {
      expectType('kfacModel', 'a curvature or damping', scalar, 'f32', []);
    }
    tensors.forEach((tensor, i) => {
      expectType('kfacModel', 'tensors', tensor, 'f32');
      expectSameShape('kfacModel', tensors[i - (i % 3)].shape, tensor.shape);
    });
    return [uFu, uFd, dFd];
  },
  kernel: ({ inputs: [uFu, uFd, dFd, damping, ...tensors], outputs, attrs }) => {
    const dots = (a: number, b: number): number => {
      let sum = 0;
      for (let i = 0; i < tensors.length; i += 3) sum += dot(tensors[i + a], tensors[i + b]);
      return sum;
    };
    const [alpha, mu, change] = outputs;
    return () => {
      const shift = damping.data[0] + attrs.weightDecay;
      const [v, u, d] = [0, 1, 2];
      const uCu = uFu.data[0] + shift * dots(u, u);
      const uCd = uFd.data[0] + shift * dots(u, d);
      const dCd = dFd.data[0] + shift * dots(d, d);
      const [p, q] = [dots(v, u), dots(v, d)];
      const determinant = uCu * dCd - uCd * uCd;
      let solution = [0, 0];
      if (determinant > SINGULAR * uCu * dCd) {
        solution = [(p * dCd - q * uCd) / determinant, (p * uCd - q * uCu) / determinant];
      } else if (uCu > 0) {
        solution = [p / uCu, 0];
      }
      [alpha.data[0], mu.data[0]] = solution;
      change.data[0] = 0.5 * (solution[1] * q - solution[0] * p);
    };
  },
});

function dot(x: Operand, y: Operand): number {
  let sum = 0;
  for (let i = 0; i < x.size; i++) sum += x.data[i] * y.data[i];
  return sum;
}

/** Of one layer: the gradient V of the loss with its weight decay, the proposal U and the last update δ₀. */
export interface ModelLayer {
  readonly v: Value;
  readonly u: Value;
  readonly last: Value;
}

/**
 * α and μ for which δ = −αU + μδ₀ has the least M(δ) = Vᵀδ + ½δᵀ(F + λd + λ)δ, and that M(δ), from the curvatures
 * UᵀFU, UᵀFδ₀ and δ₀ᵀFδ₀; μ = 0 where U and δ₀ are dependent, both 0 where U is 0 (Martens & Grosse 2015, 6.4 and 7).
 */
export function kfacModel(
  [uFu, uFd, dFd]: readonly Value[],
  damping: Value,
  layers: readonly ModelLayer[],
  weightDecay: number,
): { alpha: Value; mu: Value; change: Value } {
  const [alpha, mu, change] = damping.graph.add(
    kfacModelOp,
    [uFu, uFd, dFd, damping, ...layers.flatMap(({ v, u, last }) => [v, u, last])],
    { weightDecay },
  );
  return { alpha, mu, change };
}
