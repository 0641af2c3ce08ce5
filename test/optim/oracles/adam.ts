import { adam } from '../../../src/index.ts';
import { DECAY, eps, lr, type Method, plain } from '../../methods/case.ts';
import { elementwise, type Oracle } from './oracle.ts';

/** Adam with the decay in the gradient; AMSGrad divides the largest v so far by 1 − β₂ᵗ. */
export const adamOracle = ({
  betas: [beta1, beta2] = [0.9, 0.999],
  eps = 1e-8,
  weightDecay = 0,
  amsgrad = false,
} = {}): Oracle =>
  elementwise((theta, given, state, lr, t) => {
    const g = given + weightDecay * theta;
    state.m += (1 - beta1) * (g - state.m);
    state.v += (1 - beta2) * (g ** 2 - state.v);
    state.top = Math.max(state.top ?? 0, state.v);
    const variance = (amsgrad ? state.top : state.v) / (1 - beta2 ** t);
    return theta - (lr * state.m) / (1 - beta1 ** t) / (Math.sqrt(variance) + eps);
  });

export const cases: readonly Method[] = [
  plain(
    'adam',
    () => adam({ lr, eps, ...DECAY }),
    () => adamOracle({ eps, ...DECAY }),
  ),
  plain(
    'adam amsgrad',
    () => adam({ lr, eps, amsgrad: true }),
    () => adamOracle({ eps, amsgrad: true }),
  ),
];
