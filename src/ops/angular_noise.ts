import type { Value } from '../graph/graph.ts';
import { floatsOf } from './bf16.ts';
import { defineOp, expectSameShape, expectType, f32 } from './define.ts';

const angularNoiseOp = defineOp<{ beta1: number }>({
  name: 'angularNoise',
  infer: (tensors) => {
    const outputs = [f32()];
    for (let i = 0; i < tensors.length; i += 2) {
      expectType('angularNoise', 'gradients', tensors[i], 'f32');
      expectSameShape('angularNoise', tensors[i].shape, tensors[i + 1].shape);
      outputs.push(f32());
    }
    return outputs;
  },
  kernel:
    ({ inputs, outputs: [all, ...each], attrs: { beta1 } }) =>
    () => {
      const total = { n: 0, sum: 0, squares: 0 };
      each.forEach((angle, t) => {
        const g = inputs[2 * t];
        const m = floatsOf(inputs[2 * t + 1]);
        let sum = 0;
        let squares = 0;
        for (let i = 0; i < g.size; i++) {
          const c = beta1 * m[i] + (1 - beta1) * g.data[i];
          sum += Math.abs(c);
          squares += c * c;
        }
        angle.data[0] = angleOf(g.size, sum, squares);
        total.n += g.size;
        total.sum += sum;
        total.squares += squares;
      });
      all.data[0] = angleOf(total.n, total.sum, total.squares);
    },
});

const angleOf = (n: number, sum: number, squares: number): number =>
  squares === 0 ? 0 : Math.acos(Math.min(1, sum / Math.sqrt(n * squares)));

/**
 * arccos ‖c‖₁/(√n‖c‖₂) of c = β₁m + (1−β₁)g, in radians: of all tensors as one vector, then of each. 0 where c is 0.
 */
export function angularNoise(
  tensors: readonly { grad: Value; momentum: Value }[],
  beta1: number,
): { all: Value; each: Value[] } {
  const inputs = tensors.flatMap(({ grad, momentum }) => [grad, momentum]);
  const [all, ...each] = inputs[0].graph.add(angularNoiseOp, inputs, { beta1 });
  return { all, each };
}
