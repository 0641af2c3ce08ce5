import { type NormDescentOptions, normDescent } from '../../../src/index.ts';
import { DECAY, lr, type Method, plain } from '../../methods/case.ts';
import { directionOracle, GRADIENTS, ofMatrix } from './lion-k.ts';
import { multiply, trace, transpose } from './matrix.ts';
import type { Oracle } from './oracle.ts';
import { exactFactor, leadingFactor } from './polar.ts';

type Options = Omit<NormDescentOptions, 'lr'>;

/** −LMO(c), from its definition, times the dual norm of c if asked. */
function steepest(
  { norm, scale }: Options,
  c: Float64Array,
  shape: readonly number[],
): Float64Array {
  const sum = (f: (v: number) => number) => c.reduce((total, v) => total + f(v), 0);
  if (norm === 'linf') {
    return GRADIENTS.l1()(c).map((v) => v * (scale === 'dual' ? sum(Math.abs) : 1));
  }
  if (norm === 'l1') {
    return GRADIENTS.largest(1)(c).map((v, i) => (scale === 'dual' && v !== 0 ? c[i] : v));
  }
  if (norm === 'spectral' || norm === 'nuclear') {
    const factor = norm === 'spectral' ? exactFactor : leadingFactor;
    return ofMatrix((x) => {
      const u = factor(x);
      const dual = trace(multiply(transpose(x), u)); // ⟨x, u⟩: the sum of singular values, or the largest
      return u.map((row) => row.map((v) => v * (scale === 'dual' ? dual : 1)));
    })(c, 0, 0, shape);
  }
  return scale === 'dual' ? c : c.map((v) => v / Math.sqrt(sum((x) => x * x) || 1));
}

export function normDescentOracle(options: Options): Oracle {
  const { momentum = 0, weightDecay = 0 } = options;
  // c is the new m when both decays are μ.
  return directionOracle((c, _tensor, _t, shape) => steepest(options, c, shape), {
    betas: [momentum, momentum],
    weightDecay,
  });
}

const NORMS = ['l2', 'linf', 'l1', 'frobenius', 'spectral', 'nuclear'] as const;

export const cases: readonly Method[] = NORMS.map((norm) => {
  const options = { norm, momentum: 0.5, ...DECAY };
  return plain(
    `normDescent ${norm}`,
    () => normDescent({ lr, ...options }),
    () => normDescentOracle(options),
  );
});
