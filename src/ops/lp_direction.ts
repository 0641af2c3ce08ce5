import type { Value } from '../graph/graph.ts';
import type { Operand } from '../graph/kernel.ts';
import { defineOp, expectType } from './define.ts';

const lpDirectionOp = defineOp<{ p: number }>({
  name: 'lpDirection',
  infer: (inputs) => {
    for (const t of inputs) expectType('lpDirection', 'tensors', t, 'f32');
    return inputs;
  },
  kernel: ({ inputs, outputs, attrs: { p } }) => {
    const exponent = 1 / (p - 1); // q − 1
    return () => {
      const { size, tensor, index } = largest(inputs);
      for (const { data } of outputs) data.fill(0);
      if (size === 0) return;
      if (p === 1) {
        outputs[tensor].data[index] = Math.sign(inputs[tensor].data[index]);
        return;
      }
      let total = 0;
      inputs.forEach((g, t) => {
        for (let i = 0; i < g.size; i++) {
          const share = Math.abs(g.data[i]) / size;
          const power = share ** exponent;
          total += power * share;
          outputs[t].data[i] = power * Math.sign(g.data[i]);
        }
      });
      const scale = total ** (-1 / p);
      for (const { data } of outputs) {
        for (let i = 0; i < data.length; i++) data[i] *= scale;
      }
    };
  },
});

/** The first element of the largest size, or the first NaN. */
function largest(tensors: readonly Operand[]) {
  let top = { size: 0, tensor: 0, index: 0 };
  tensors.forEach(({ data }, tensor) => {
    for (let index = 0; index < data.length; index++) {
      const size = Math.abs(data[index]);
      if (!(size <= top.size) && !Number.isNaN(top.size)) top = { size, tensor, index };
    }
  });
  return top;
}

/**
 * The direction of ℓp length 1 along which all tensors as one vector g rise fastest:
 * sign(g)⊙|g|^(q−1) / ‖g‖_q^(q−1), 1/p + 1/q = 1. p = ∞ gives sign g; p = 1 the sign of the largest |gᵢ| alone, the
 * first of equals; g = 0 gives 0. Shares of max|g| are raised, so that no power leaves float32's range.
 */
export const lpDirection = (tensors: readonly Value[], p: number): Value[] =>
  tensors[0].graph.add(lpDirectionOp, tensors, { p });
