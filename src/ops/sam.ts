import type { Value } from '../graph/graph.ts';
import { defineOp, expectType } from './define.ts';

const globalNormOp = defineOp({
  name: 'globalNorm',
  infer: (inputs) => {
    for (const t of inputs) expectType('globalNorm', 'tensors', t, 'f32');
    return [{ dtype: 'f32', shape: [] }];
  },
  kernel:
    ({ inputs, outputs: [norm] }) =>
    () => {
      let total = 0;
      for (const { data, size } of inputs) {
        for (let i = 0; i < size; i++) total += data[i] * data[i];
      }
      norm.data[0] = Math.sqrt(total);
    },
});

/** ‖·‖₂ of all tensors as one vector → []. */
export const globalNorm = (tensors: readonly Value[]): Value =>
  tensors[0].graph.add(globalNormOp, tensors, {})[0];

const samPerturbOp = defineOp<{ rho: number }>({
  name: 'samPerturb',
  infer: ([norm, ...tensors]) => {
    expectType('samPerturb', 'a norm', norm, 'f32', []);
    return tensors.filter((_, i) => i % 2 === 0);
  },
  mutates: true,
  kernel:
    ({ inputs: [norm, ...tensors], outputs, attrs: { rho } }) =>
    () => {
      const scale = norm.data[0] === 0 ? 0 : rho / norm.data[0];
      outputs.forEach((saved, t) => {
        const p = tensors[2 * t];
        const g = tensors[2 * t + 1];
        saved.data.set(p.data);
        for (let i = 0; i < p.size; i++) p.data[i] += scale * g.data[i];
      });
    },
});

/** θ ← θ + ρ g/‖g‖ in place (unchanged when ‖g‖ = 0); returns the old θ. */
export const samPerturb = (
  params: readonly Value[],
  grads: readonly Value[],
  norm: Value,
  rho: number,
): Value[] =>
  norm.graph.add(samPerturbOp, [norm, ...params.flatMap((p, i) => [p, grads[i]])], { rho });
