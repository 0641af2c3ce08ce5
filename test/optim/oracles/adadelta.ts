import { adadelta } from '../../../src/index.ts';
import { DECAY, eps, lr, type Method, plain } from '../../methods/case.ts';
import { elementwise, type Oracle } from './oracle.ts';

/** v ← ρv + (1−ρ)g²; Δ = √((u + ε)/(v + ε)) g; u ← ρu + (1−ρ)Δ²; θ ← θ − ηΔ, the decay in g. */
export const adadeltaOracle = ({ rho = 0.9, eps = 1e-6, weightDecay = 0 } = {}): Oracle =>
  elementwise((theta, given, state, lr) => {
    const g = given + weightDecay * theta;
    state.v = rho * state.v + (1 - rho) * g ** 2;
    const u = state.u ?? 0;
    const delta = Math.sqrt((u + eps) / (state.v + eps)) * g;
    state.u = rho * u + (1 - rho) * delta ** 2;
    return theta - lr * delta;
  });

export const cases: readonly Method[] = [
  plain(
    'adadelta',
    () => adadelta({ lr, eps, ...DECAY }),
    () => adadeltaOracle({ eps, ...DECAY }),
  ),
];
