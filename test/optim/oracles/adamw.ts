import { adamw } from '../../../src/index.ts';
import { eps, lr, type Method, plain } from '../../methods/case.ts';
import { elementwise, type Oracle } from './oracle.ts';

/** Adam with decoupled weight decay. */
export const adamwOracle = ({
  betas: [beta1, beta2] = [0.9, 0.999],
  eps = 1e-8,
  weightDecay = 0.01,
} = {}): Oracle =>
  elementwise((theta, g, state, lr, t) => {
    state.m = beta1 * state.m + (1 - beta1) * g;
    state.v = beta2 * state.v + (1 - beta2) * g ** 2;
    const mean = state.m / (1 - beta1 ** t);
    const variance = state.v / (1 - beta2 ** t);
    return theta - lr * weightDecay * theta - (lr * mean) / (Math.sqrt(variance) + eps);
  });

export const cases: readonly Method[] = [
  plain(
    'adamw',
    () => adamw({ lr, eps }),
    () => adamwOracle({ eps }),
  ),
];
