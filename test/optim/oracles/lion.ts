import { lion } from '../../../src/index.ts';
import { DECAY, lr, type Method, plain } from '../../methods/case.ts';
import { bf16 } from './bf16.ts';
import { elementwise, type Oracle } from './oracle.ts';

/** c = β₁m + (1−β₁)g with the old m; θ ← θ − η(sign(c) + λθ); m ← β₂m + (1−β₂)g, of which `kept` is kept. */
export const lionOracle = ({
  betas: [beta1, beta2] = [0.9, 0.99],
  weightDecay = 0,
  kept = (m: number) => m,
} = {}): Oracle =>
  elementwise((theta, g, state, lr) => {
    const c = beta1 * state.m + (1 - beta1) * g;
    const sign = c > 0 ? 1 : c < 0 ? -1 : 0;
    state.m = kept(beta2 * state.m + (1 - beta2) * g);
    return theta - lr * (sign + weightDecay * theta);
  });

export const cases: readonly Method[] = [
  plain(
    'lion',
    () => lion({ lr, ...DECAY }),
    () => lionOracle(DECAY),
  ),
  plain(
    'lion bf16',
    () => lion({ lr, momentumDtype: 'bf16', ...DECAY }),
    () => lionOracle({ ...DECAY, kept: bf16 }),
  ),
];
