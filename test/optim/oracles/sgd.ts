import { sgd } from '../../../src/index.ts';
import { DECAY, lr, type Method, plain } from '../../methods/case.ts';
import { elementwise, type Oracle } from './oracle.ts';

/** v ← μv + g; θ ← θ − ηv, or θ − η(g + μv); weight decay in g, or θ ← θ − ηλθ apart. */
export const sgdOracle = ({
  momentum = 0,
  nesterov = false,
  weightDecay = 0,
  decoupled = false,
} = {}): Oracle =>
  elementwise((theta, given, state, lr) => {
    const g = decoupled ? given : given + weightDecay * theta;
    state.v = momentum * state.v + g;
    const direction = nesterov ? g + momentum * state.v : state.v;
    const decayed = decoupled ? theta - lr * weightDecay * theta : theta;
    return decayed - lr * direction;
  });

export const cases: readonly Method[] = [
  plain(
    'sgd',
    () => sgd({ lr, ...DECAY }),
    () => sgdOracle(DECAY),
  ),
  plain(
    'sgd momentum',
    () => sgd({ lr, momentum: 0.9, ...DECAY }),
    () => sgdOracle({ momentum: 0.9, ...DECAY }),
  ),
  plain(
    'sgd nesterov',
    () => sgd({ lr, momentum: 0.9, nesterov: true, ...DECAY }),
    () => sgdOracle({ momentum: 0.9, nesterov: true, ...DECAY }),
  ),
];
