import { adagrad, rmsprop } from '../../../src/index.ts';
import { DECAY, eps, lr, type Method, plain } from '../../methods/case.ts';
import { elementwise, type Oracle } from './oracle.ts';

/** v ← v + g², or the running mean γv + (1−γ)g² of RMSProp; θ ← θ − ηg/(√v + ε). */
export const adagradOracle = ({
  gamma,
  eps = gamma === undefined ? 1e-10 : 1e-8,
  epsInsideSqrt = false,
  weightDecay = 0,
  decoupled = false,
}: {
  gamma?: number;
  eps?: number;
  epsInsideSqrt?: boolean;
  weightDecay?: number;
  decoupled?: boolean;
} = {}): Oracle =>
  elementwise((theta, given, state, lr) => {
    const g = decoupled ? given : given + weightDecay * theta;
    state.v = gamma === undefined ? state.v + g ** 2 : state.v + (1 - gamma) * (g ** 2 - state.v);
    const root = epsInsideSqrt ? (state.v + eps) ** 0.5 : state.v ** 0.5 + eps;
    return theta - (decoupled ? lr * weightDecay * theta : 0) - (lr * g) / root;
  });

export const cases: readonly Method[] = [
  plain(
    'adagrad',
    () => adagrad({ lr, eps, ...DECAY }),
    () => adagradOracle({ eps, ...DECAY }),
  ),
  plain(
    'rmsprop',
    () => rmsprop({ lr, eps, ...DECAY }),
    () => adagradOracle({ gamma: 0.99, eps, ...DECAY }),
  ),
];
